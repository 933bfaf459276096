# The functions of .ci/run, one for each thing that takes more than a line.
# Sourced, with the root of the repository as working directory.

readonly out=$PWD/.ci/out
durations=()
current=''

# step begins a part of the run: it prints its headline, and how long the part
# before it took.
step() {
  end_step
  current=$1
  current_since=$SECONDS
  printf '\n=== %s\n' "$1"
}

end_step() {
  if [[ -n $current ]]; then
    local line
    printf -v line '%5d s  %s' "$((SECONDS - current_since))" "$current"
    durations+=("$line")
    echo "--- took $((SECONDS - current_since)) s"
    current=''
  fi
}

# conclude prints where the time went and, if the run failed, in which part.
conclude() {
  local part=$current
  end_step
  printf '\n'
  printf '%s\n' "${durations[@]}"
  printf '%5d s  in total\n' "$SECONDS"
  if (($1 != 0)); then
    printf '\nFAILED: %s (exit status %d)\n' "$part" "$1"
  else
    printf '\nPASSED\n'
  fi
}

fail() {
  printf '%s\n' "$1" >&2
  exit 1
}

# skipped says loudly that something was not done.
skipped() {
  printf '\n!!! SKIPPED: %s\n\n' "$1"
  durations+=("         (skipped: $1)")
}

# install installs Debian packages.
install() {
  if ! command -v apt-get >/dev/null || ((EUID != 0)); then
    fail "missing: $*. Install it, or run this as root on Debian."
  fi
  if [[ -z ${apt_updated:-} ]]; then
    apt-get update -qq
    apt_updated=yes
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >"$out/apt.log" 2>&1 ||
    { tail -n 20 "$out/apt.log"; fail "cannot install: $*"; }
}

# need COMMAND PACKAGE... installs the packages if there is no such command.
need() {
  if ! command -v "$1" >/dev/null; then
    echo "installing ${*:2}"
    install "${@:2}"
  fi
}

# need_go VERSION checks the version of Go: it is the one thing that is not
# installed, since which Go a run is about is for its caller to say.
need_go() {
  command -v go >/dev/null || fail "missing: Go $1 or newer"
  local have
  have=$(go env GOVERSION)
  have=${have#go}
  if [[ $(printf '%s\n' "$1" "$have" | sort -V | head -n 1) != "$1" ]]; then
    fail "Go $have is too old; $1 or newer is needed"
  fi
}

# need_node MAJOR VERSION sees to a Node.js of a major version or newer; where
# the system's is older, VERSION is taken from the npm registry.
need_node() {
  need node nodejs
  need npm npm
  if (($(node_major) < $1)); then
    local machine
    case $(uname -m) in
      x86_64) machine=x64 ;;
      aarch64) machine=arm64 ;;
      *) fail "Node.js $1 or newer is needed" ;;
    esac
    echo "installing Node.js $2, as $(node --version) is too old"
    npm install --prefix .ci/out/node --no-save --ignore-scripts --no-audit --no-fund --silent "node-linux-$machine@$2"
    PATH=$PWD/.ci/out/node/node_modules/node-linux-$machine/bin:$PATH
    export PATH
    hash -r
    (($(node_major) >= $1)) || fail "Node.js $2 was installed and cannot be run"
  fi
}

node_major() {
  local version
  version=$(node --version)
  version=${version#v}
  echo "${version%%.*}"
}

show_versions() {
  go version
  echo "node $(node --version), npm $(npm --version 2>/dev/null)"
  local command
  for command in gcc chromium redis-server; do
    if command -v "$command" >/dev/null; then
      "$command" --version 2>/dev/null | head -n 1
    fi
  done
  echo "$(nproc) processors"
}

# files lists the files of the repository, whether committed yet or not. Whose
# files they are does not matter, as it otherwise would to git.
files() {
  git -c safe.directory='*' ls-files --cached --others --exclude-standard -- "$@"
}

# check_layout holds the top level to what it is meant to have.
check_layout() {
  local want have
  want=$(printf '%s\n' LICENSE README.md clockskew examples go.mod go.sum jwks jwtbearer)
  have=$(files | cut -d / -f 1 | grep -v '^\.' | sort -u | LC_ALL=C sort)
  if ! diff <(echo "$want") <(echo "$have"); then
    fail 'the top level differs (< is wanted, > is there)'
  fi
  if [[ -n $(files '*go.work' '*go.work.sum') ]]; then
    fail 'there is a go.work; modules find each other by replace directives'
  fi
}

# forbid PATTERN REASON fails if a file of the repository has a line with the
# pattern. The files that name patterns and the texts of others are left out.
forbid() {
  local found
  found=$(files ':!.ci/lib.sh' ':!*/testdata/*' | xargs -d '\n' grep -nEI -- "$1" || true)
  if [[ -n $found ]]; then
    printf '%s\n' "$found" >&2
    fail "$2"
  fi
}

check_words() {
  forbid '(^|[^[:alnum:]_./-])/(root|Users|work|home/[a-z]+)/[[:alnum:]]' 'a path of one machine'
  forbid '(^|[^[:alnum:]_./-])/tmp/[[:alnum:]]' 'a fixed temporary file; use t.TempDir or mktemp'
  forbid 'registry\.npm|registry\.yarn|proxy\.golang|sum\.golang' 'the address of a package registry'
  forbid '@latest' 'a version that is not pinned'
  forbid '^(<{7}|>{7}|={7})( |$)' 'a conflict that is not resolved'
  forbid '\b(TODO|FIXME|XXX)\b|panic\("todo' 'something unfinished'
  forbid '\b([Ii]ssue|[Tt]icket) #?[0-9]' 'an issue number; say the reason instead'
  echo 'no forbidden words'
}

# check_lock_files holds that every npm package is pinned by a lock file, which
# names no download address.
check_lock_files() {
  local manifest folder
  while read -r manifest; do
    folder=$(dirname "$manifest")
    [[ -f $folder/package-lock.json ]] || fail "$folder has no package-lock.json"
    if grep -n '"resolved"' "$folder/package-lock.json"; then
      fail "$folder/package-lock.json: remove the members \"resolved\""
    fi
    if grep -nE '": "(\^|~|>|\*|latest)' "$manifest" | grep -v '"node"'; then
      fail "$manifest: pin the versions"
    fi
  done < <(files '*package.json')
}

# check_vulnerabilities runs govulncheck where its data can be had.
check_vulnerabilities() {
  local source=${GOVULNDB:-https://vuln.go.dev}
  if [[ $source == https://* ]] &&
    ! curl -fsS --max-time 10 -o /dev/null "$source/index/db.json" 2>"$out/vulndb.log"; then
    skipped "govulncheck: no data from $source ($(tail -n 1 "$out/vulndb.log"))"
    return
  fi
  go run "$govulncheck" -db "$source" ./...
}

# check_tidy MODULE holds that go.mod and go.sum are complete, with nothing
# superfluous, and that what was downloaded is what go.sum says.
check_tidy() {
  go -C "$1" mod tidy -diff || fail "run: go -C $1 mod tidy"
  go -C "$1" mod verify
}

# nested_modules lists the folders of all modules but the root one.
nested_modules() {
  find . -name go.mod -not -path './go.mod' -not -path '*/node_modules/*' -not -path './.ci/out/*' \
    -printf '%h\n' | LC_ALL=C sort
}

# check_module does for a nested module what the steps before did for the root.
check_module() {
  local module=$1 race=-race
  if [[ $without_race == *" $module "* ]]; then
    race=''
  fi
  (
    cd "$module"
    go build -o /dev/null ./...
    go vet -tags integration ./...
    go test $race ./...
    go run "$staticcheck" -tags integration ./...
    integration_tests
  )
  check_tidy "$module"
}

# test_files lists package and name of each test file of the module that is
# built with some flags.
test_files() {
  go list "$@" -f '{{range .TestGoFiles}}{{$.ImportPath}} {{.}}
{{end}}{{range .XTestGoFiles}}{{$.ImportPath}} {{.}}
{{end}}' ./... | LC_ALL=C sort
}

# integration_tests runs the tests of the packages that have some behind the
# build tag integration. They start other programs, and so are never cached; all
# those are at hand here, so a test that skips is a mistake. With the argument
# required, so is a module that has none.
integration_tests() {
  local plain tagged packages
  plain=$(test_files)
  tagged=$(test_files -tags integration)
  packages=$(comm -13 <(echo "$plain") <(echo "$tagged") | cut -d ' ' -f 1 | sort -u)
  if [[ -z $packages ]]; then
    if [[ ${1:-} == required ]]; then
      fail 'there are no integration tests'
    fi
    echo 'no integration tests'
    return
  fi
  # shellcheck disable=SC2086 # one argument for each package
  go test -tags integration -count=1 -v -timeout 8m $packages | tee "$out/integration.log"
  if grep -- '--- SKIP' "$out/integration.log"; then
    fail 'an integration test was skipped'
  fi
}

// Without this script the buttons still work; with it, the page is live.

const $ = (id) => document.getElementById(id);
let state = JSON.parse(document.body.dataset.state);
let ahead = Date.parse(state.now) - Date.now(); // of the server's clock to ours

// --- The life of the access token ---

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
let spoken = "";

function draw() {
  const life = $("life");
  if (!life || !state.signed_in) return;
  $("access").textContent = state.access;
  const bar = $("bar");
  const issued = Date.parse(state.obtained_at), expires = Date.parse(state.expires_at);
  if (!(expires > issued)) {
    bar.dataset.unknown = "";
    $("phase").textContent = "lifetime unknown";
    $("unit").textContent = "the authority did not say; renewed when the API answers 401";
    return;
  }
  const now = Date.now() + ahead, end = expires + state.skew * 1000;
  const percent = (t) => Math.min(100, Math.max(0, (100 * (t - issued)) / (end - issued)));
  // Style rules set from a script are fine with the content security policy;
  // style attributes in the page would not be.
  bar.style.setProperty("--life", percent(expires) + "%");
  bar.style.setProperty("--early", percent(expires - state.early * 1000) + "%");
  bar.style.setProperty("--at", percent(now) + "%");
  $("scale").style.setProperty("--life", percent(expires) + "%");
  $("margin").hidden = !state.early;
  $("at-issue").textContent = clock.format(issued - ahead);
  $("at-expiry").textContent = clock.format(expires - ahead);
  $("at-end").textContent = clock.format(end - ahead);

  let phase = "alive", words = "alive", seconds = Math.ceil((expires - now) / 1000), unit = "of life left";
  if (now >= end) {
    phase = "dead"; words = "expired, the API refuses it"; seconds = Math.floor((now - end) / 1000); unit = "past the tolerance";
  } else if (now >= expires) {
    phase = "skew"; words = "expired, still accepted"; seconds = Math.ceil((end - now) / 1000); unit = "of tolerance left";
  }
  life.dataset.phase = phase;
  $("phase").textContent = words;
  $("figure").textContent = Math.max(0, seconds);
  $("unit").textContent = (seconds === 1 ? "second " : "seconds ") + unit;
  bar.setAttribute("aria-valuemax", Math.round((end - issued) / 1000));
  bar.setAttribute("aria-valuenow", Math.round(Math.min(now, end) / 1000 - issued / 1000));
  bar.setAttribute("aria-valuetext", `${words}, ${seconds} seconds ${unit}`);
  // The phase is announced when it changes, the seconds are not.
  const say = state.access + phase;
  if (spoken && spoken !== say && phase !== "alive" && !waiting) show({ text: `The access token ${state.access} is ${words}.`, tone: phase === "skew" ? "warn" : "bad" });
  spoken = say;
}

function show(message) {
  const outcome = $("outcome");
  if (!outcome || !message.text) return;
  outcome.dataset.tone = message.tone;
  outcome.textContent = message.text;
}

function take(next) {
  const before = state;
  state = next;
  ahead = Date.parse(state.now) - Date.now();
  if (before.signed_in && !state.signed_in && $("life")) {
    $("life").hidden = $("actions").hidden = $("person").hidden = true;
    $("nobody").hidden = false;
    $("ended").hidden = false;
    $("sign-in-again").focus();
  } else if (before.signed_in !== state.signed_in && !$("ended")?.checkVisibility()) {
    location.reload(); // signed in or out in another tab
  }
  if (before.access !== state.access) {
    const bar = $("bar");
    bar?.classList.add("jump");
    draw();
    bar?.offsetWidth; // a layout without the transition
    bar?.classList.remove("jump");
  }
  for (const input of document.querySelectorAll("#mode input")) input.checked = (input.value === "on-401") === state.only_on_401;
  draw();
}

const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
draw();
setInterval(draw, calm ? 1000 : 250);

// --- The buttons ---

let waiting = null;

// told shows what the server answered to a button.
function told(answer) {
  if (answer.sign_in && state.signed_in) take({ ...state, signed_in: false });
  if (answer.sign_in && leave(answer.sign_in)) answer.text += ` The sign-in starts in ${notice} seconds.`;
  show(answer);
}

async function act(form) {
  const button = form.querySelector("button");
  if (waiting && form.hasAttribute("data-waits")) {
    waiting.abort();
    return;
  }
  if (button.getAttribute("aria-disabled") === "true") return;
  // Not "disabled", which would take the focus away.
  button.setAttribute("aria-disabled", "true");
  const control = new AbortController();
  const label = button.querySelector("b")?.textContent;
  if (form.hasAttribute("data-waits")) {
    waiting = control;
    button.dataset.waiting = "";
    button.querySelector("b").textContent = "Waiting… press to stop";
    show({ text: "Waiting for the token to run out.", tone: "warn" });
  }
  try {
    const response = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers: { Accept: "application/json" },
      signal: control.signal,
    });
    told(await response.json());
  } catch (error) {
    show(error.name === "AbortError"
      ? { text: "The wait was given up.", tone: "warn" }
      : { text: "This application does not answer. Is it still running?", tone: "bad" });
  } finally {
    button.removeAttribute("aria-disabled");
    if (waiting === control) {
      waiting = null;
      delete button.dataset.waiting;
      button.querySelector("b").textContent = label;
    }
  }
}

for (const form of document.querySelectorAll("form[data-action]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(form);
  });
}
$("mode")?.addEventListener("change", async () => {
  const form = $("mode");
  const response = await fetch(form.action, {
    method: "POST",
    body: new URLSearchParams(new FormData(form)),
    headers: { Accept: "application/json" },
  }).catch(() => null);
  if (response) told(await response.json());
});

// --- The end of the session ---

// The sign-in starts by itself on the page whose button found the session ended.
// The notice says so first and can be stopped, for whoever wants to read, or
// reads slowly.
const notice = 10; // seconds
let leaving = null;

function leave(to) {
  if (leaving || !$("ended")) return false;
  let left = notice;
  $("countdown").textContent = left; // not announced; the outcome is, once
  $("soon").hidden = $("stay").hidden = false;
  leaving = setInterval(() => {
    $("countdown").textContent = --left;
    if (left > 0) return;
    stay();
    location.assign(to);
  }, 1000);
  return true;
}

function stay() {
  clearInterval(leaving);
  leaving = null;
}
$("stay")?.addEventListener("click", () => {
  stay();
  $("soon").hidden = $("stay").hidden = true;
  $("sign-in-again").focus();
  show({ text: "The session has ended. The sign-in waits for you.", tone: "warn" });
});
addEventListener("pagehide", stay);

// --- The timeline ---

const list = $("entries");
const most = 200;
const stream = new EventSource("/events?after=" + document.body.dataset.after);

stream.addEventListener("entry", (event) => {
  if (list.querySelector(`[data-id="${Number(event.lastEventId)}"]`)) return;
  // The server's own template made this, with everything escaped.
  const holder = document.createElement("template");
  holder.innerHTML = JSON.parse(event.data);
  const entry = holder.content.firstElementChild;
  entry.classList.add("fresh");
  list.prepend(entry);
  while (list.children.length > most) list.lastElementChild.remove();
});
stream.addEventListener("state", (event) => take(JSON.parse(event.data)));
function live(on) {
  $("live").dataset.live = on ? "on" : "off";
  $("live").lastElementChild.textContent = on ? "live" : "not live";
}
stream.addEventListener("open", () => live(true));
stream.addEventListener("error", () => live(false));
addEventListener("pagehide", () => stream.close());

package vectors

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"testing"

	"github.com/c2sp/wycheproof"
)

// A joseFile is a file of Wycheproof whose vectors are JWS.
type joseFile struct {
	NumberOfTests int
	TestGroups    []struct {
		Comment         string
		Public, Private json.RawMessage
		Tests           []struct {
			TcID    int
			Comment string
			JWS     json.RawMessage
			Result  string
		}
	}
}

func load(t *testing.T, name string, v any) {
	t.Helper()
	data, err := fs.ReadFile(wycheproof.TestVectors, name+"_test.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

// The vectors for JSON Web Signature and JSON Web Key, and those older ones of
// both that concern signatures.
func TestWycheproofJOSE(t *testing.T) {
	for _, name := range []string{"json_web_signature", "json_web_key", "json_web_crypto"} {
		t.Run(name, func(t *testing.T) {
			var file joseFile
			load(t, name, &file)
			seen := newSeen(name)
			total, run := 0, 0
			for _, group := range file.TestGroups {
				set := group.Public
				if set == nil {
					set = group.Private // symmetric keys have no other half
				}
				for _, vector := range group.Tests {
					total++
					if vector.JWS == nil {
						continue // a JWE: decryption is not what a resource server does
					}
					run++
					var raw string
					if json.Unmarshal(vector.JWS, &raw) != nil {
						raw = string(vector.JWS) // JSON serialization
					}
					err := verify(t, set, raw)
					seen.judge(t, fmt.Sprintf("%s/%d", name, vector.TcID), group.Comment+": "+vector.Comment, vector.Result, err)
					refusedAsToken(t, set, raw)
				}
			}
			if total != file.NumberOfTests {
				t.Errorf("%d vectors read of %d", total, file.NumberOfTests)
			}
			seen.finish(t)
			t.Logf("%d vectors run, %d of them answered differently, %d about encryption left out", run, len(seen.differ), total-run)
		})
	}
}

//go:build integration

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
	"github.com/bearerguard/bearerguard/jwtbearer/session/redisstore/redistest"
)

const (
	chaosSessions = 400
	chaosWorkers  = 8
	// recovery is how long replicas may take to find Redis after its restart.
	recovery = 3 * time.Second
)

// victim is a session with what is known of its end. Times are nanoseconds since
// the start of the test; 0 is never.
type victim struct {
	id, subject, token string
	tried, ended       atomic.Int64 // when the first attempt to revoke began; when one was confirmed
}

// sample is one answer.
type sample struct {
	begin, end time.Duration
	status     int
	tried      bool          // its revocation had been tried when the answer came
	ended      time.Duration // when its revocation was confirmed, before the request; 0: it was not
}

// outage is when Redis was being killed, was dead, was starting, and answered.
type outage struct{ from, dead, starting, until time.Duration }

// TestChaos puts load on four replicas, revokes sessions at random ones, and
// kills Redis twice. No revoked session is accepted after the documented bound,
// no living one is answered 401, and while Redis is away the answer is 503.
func TestChaos(t *testing.T) {
	c := newCluster(t, 4, redistest.AppendOnly)
	admin := c.issuer.Token("api1", jwtbearertest.Scopes(revokeScope), jwtbearertest.ExpiresIn(time.Hour))
	victims := make([]*victim, chaosSessions)
	for i := range victims {
		id := fmt.Sprint("session-", i)
		victims[i] = &victim{id: id, subject: "user-" + id, token: c.signIn(t, id, "user-"+id)}
		// The signature is checked once at each replica before the clock runs.
		for replica := range c.replicas {
			if status := c.orders(t, replica, victims[i].token); status != http.StatusOK {
				t.Fatalf("before: got %d, want 200", status)
			}
		}
	}

	began := time.Now()
	ctx, stop := context.WithTimeout(t.Context(), 24*time.Second)
	defer stop()
	var group sync.WaitGroup
	samples := make([][]sample, chaosWorkers)
	for w := range chaosWorkers {
		group.Go(func() { samples[w] = c.load(ctx, began, victims) })
	}
	group.Go(func() { c.revokeAtRandom(ctx, began, victims, admin) })

	var outages []outage
	for _, kill := range []time.Duration{5 * time.Second, 13 * time.Second} {
		<-time.After(time.Until(began.Add(kill)))
		o := outage{from: time.Since(began)}
		c.redis.Kill()
		o.dead = time.Since(began)
		<-time.After(3 * time.Second)
		o.starting = time.Since(began)
		c.redis.Restart()
		o.until = time.Since(began)
		outages = append(outages, o)
	}
	group.Wait()
	judge(t, slices.Concat(samples...), outages, victims)
}

// load sends requests to random replicas until ctx ends.
func (c *cluster) load(ctx context.Context, began time.Time, victims []*victim) (samples []sample) {
	for ctx.Err() == nil {
		v := victims[rand.N(len(victims))]
		s := sample{begin: time.Since(began), ended: time.Duration(v.ended.Load())}
		status, err := c.do(context.WithoutCancel(ctx), http.MethodGet, c.replicas[rand.N(len(c.replicas))]+"/orders", v.token, nil)
		if err != nil {
			status = -1
		}
		s.end, s.status, s.tried = time.Since(began), status, v.tried.Load() != 0
		samples = append(samples, s)
	}
	return samples
}

// revokeAtRandom ends about ten sessions a second, at random replicas, by an
// administrator or by the authority. What fails is tried again.
func (c *cluster) revokeAtRandom(ctx context.Context, began time.Time, victims []*victim, admin string) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	order := rand.Perm(len(victims))
	var again []int
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		var i int
		switch {
		case len(again) > 0:
			i, again = again[0], again[1:]
		case len(order) > len(victims)/3: // some stay alive to the end
			i, order = order[0], order[1:]
		default:
			continue
		}
		v, replica := victims[i], c.replicas[rand.N(len(c.replicas))]
		v.tried.CompareAndSwap(0, int64(time.Since(began)))
		var status int
		var err error
		if i%2 == 0 {
			status, err = c.do(context.WithoutCancel(ctx), http.MethodDelete, replica+"/sessions/"+v.id, admin, nil)
		} else {
			token := c.issuer.LogoutToken("web", jwtbearertest.Subject(v.subject), jwtbearertest.Claim("sid", v.id))
			status, err = c.do(context.WithoutCancel(ctx), http.MethodPost, replica+"/backchannel-logout", "", url.Values{"logout_token": {token}})
		}
		if err != nil || status/100 != 2 {
			again = append(again, i)
			continue
		}
		v.ended.Store(int64(time.Since(began)))
	}
}

func judge(t *testing.T, samples []sample, outages []outage, victims []*victim) {
	t.Helper()
	during := func(s sample) bool {
		return slices.ContainsFunc(outages, func(o outage) bool { return s.end >= o.from && s.begin <= o.until+recovery })
	}
	// A moment after the end of the process: its replicas are to notice.
	away := func(s sample) bool {
		return slices.ContainsFunc(outages, func(o outage) bool { return s.begin >= o.dead+100*time.Millisecond && s.end <= o.starting })
	}
	counts := map[int]int{}
	var late, wrong401, wrongCalm, wrongOutage, wrongAway, refusedAfter int
	var lag, lastUnavailable time.Duration
	var calm, troubled []time.Duration
	for _, s := range samples {
		counts[s.status]++
		took := s.end - s.begin
		if away(s) && s.status != http.StatusServiceUnavailable {
			wrongAway++
		}
		if during(s) {
			troubled = append(troubled, took)
			if s.status != http.StatusOK && s.status != http.StatusUnauthorized && s.status != http.StatusServiceUnavailable {
				wrongOutage++
			}
		} else {
			calm = append(calm, took)
			if s.status != http.StatusOK && s.status != http.StatusUnauthorized {
				wrongCalm++
			}
		}
		if s.status == http.StatusServiceUnavailable {
			for _, o := range outages {
				if s.begin > o.until && s.begin-o.until < recovery {
					lastUnavailable = max(lastUnavailable, s.end-o.until)
				}
			}
		}
		switch {
		case s.status == http.StatusUnauthorized && !s.tried:
			wrong401++
		case s.status == http.StatusUnauthorized && s.ended > 0:
			refusedAfter++
		case s.status == http.StatusOK && s.ended > 0:
			lag = max(lag, s.begin-s.ended)
			if s.begin-s.ended > session.DefaultCacheLife {
				late++
			}
		}
	}
	ended := 0
	for _, v := range victims {
		if v.ended.Load() != 0 {
			ended++
		}
	}
	t.Logf("%d requests: %v; %d of %d sessions revoked", len(samples), counts, ended, len(victims))
	t.Logf("revoked sessions refused %d times; the latest acceptance of one began %v after its revocation (bound %v)", refusedAfter, lag, session.DefaultCacheLife)
	t.Logf("Redis was away at %v; the last 503 came %v after a restart", outages, lastUnavailable)
	t.Logf("answers in calm times: median %v, 99 %% %v, longest %v; during outages: median %v, 99 %% %v, longest %v",
		quantile(calm, 0.5), quantile(calm, 0.99), quantile(calm, 1), quantile(troubled, 0.5), quantile(troubled, 0.99), quantile(troubled, 1))
	for what, n := range map[string]int{
		"revoked sessions accepted after the bound":  late,
		"living sessions answered 401":               wrong401,
		"answers in calm times but 200 and 401":      wrongCalm,
		"answers about outages but 200, 401 and 503": wrongOutage,
		"answers while Redis was away but 503":       wrongAway,
	} {
		if n != 0 {
			t.Errorf("%d %s, want none", n, what)
		}
	}
	if counts[http.StatusServiceUnavailable] == 0 || refusedAfter == 0 || counts[http.StatusOK] == 0 || ended < 100 {
		t.Error("the test tried nothing")
	}
}

func quantile(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[int(q*float64(len(list)-1))].Round(time.Microsecond)
}

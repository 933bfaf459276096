package jwtbearer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bearerguard/bearerguard/jwks"
)

// Recheck is for requests that may outlive their token: server-sent events,
// WebSockets, long downloads (lifetime). The token is judged again every
// interval while the handler runs, and at the instant at which it expires. The
// interval must be a second at least; of several the shortest counts. When
// it is no longer good, because it expired (plus clock skew), its key was
// withdrawn, its session ended or, if it is opaque, the authority says that it is
// not active, the context of the request is cancelled, and [context.Cause]
// returns an *[Error] that says why. The handler can keep the request alive by
// giving a renewed token to [Extend].
//
// That the state of a session cannot be told for the moment does not end a
// request: it is asked about again after the next interval. Without Recheck, a
// request that was once admitted is left alone.
func Recheck(interval time.Duration) Rule {
	return ruleFunc(func(p *Policy) error {
		if interval < time.Second {
			return misconfigured("Recheck", interval, "give at least one second")
		}
		if p.recheck == 0 || interval < p.recheck {
			p.recheck = interval
		}
		return nil
	})
}

// life is what is known of a request under Recheck. It costs one timer and no
// goroutine while nothing is due.
type life struct {
	cancel context.CancelCauseFunc
	r      *http.Request
	token  atomic.Pointer[Token]

	stateMu  sync.Mutex
	policies []*Policy // that admitted the request, outermost first; never changed in place
	timer    *time.Timer
	over     bool
}

// live puts the request under Recheck. The caller calls end when the handler
// has returned.
func (p *Policy) live(a *admission, r *http.Request) (_ *admission, end func()) {
	ctx, cancel := context.WithCancelCause(a.Context)
	// A copy: the checks run beside the handler, which may write to its request.
	l := &life{cancel: cancel, r: r.Clone(r.Context())}
	for of := a; of != nil; of = of.outer {
		l.policies = append(l.policies, of.policy)
	}
	slices.Reverse(l.policies)
	l.token.Store(a.token)
	b := &admission{Context: ctx, v: a.v, policy: p, outer: a.outer, token: a.token, checked: a.checked, life: l}
	l.stateMu.Lock()
	l.timer = time.AfterFunc(l.next(time.Now()), func() { l.check(b) })
	l.stateMu.Unlock()
	return b, l.end
}

// join adds an inner policy to a request that is under Recheck already, whether
// or not that has the rule itself: a token that it would not admit is no renewal.
func (l *life) join(p *Policy) {
	l.stateMu.Lock()
	l.policies = append(slices.Clip(l.policies), p)
	l.stateMu.Unlock()
	if p.recheck > 0 {
		l.arm()
	}
}

// leave takes an inner policy away, whose handler has returned.
func (l *life) leave(p *Policy) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	if i := slices.Index(l.policies[1:], p) + 1; i > 0 {
		l.policies = slices.Concat(l.policies[:i], l.policies[i+1:])
	}
}

// under returns the policies that admitted the request.
func (l *life) under() []*Policy {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	return l.policies
}

// next is how long to wait for the next check. The caller holds stateMu.
func (l *life) next(now time.Time) time.Duration {
	t := l.token.Load()
	wait := t.times.Expiry.Add(t.authority.profile.skew).Sub(now)
	for _, p := range l.policies {
		if p.recheck > 0 {
			wait = min(wait, p.recheck)
		}
	}
	return max(0, wait)
}

func (l *life) end() {
	l.stateMu.Lock()
	l.over = true
	l.timer.Stop()
	l.stateMu.Unlock()
	l.cancel(nil)
}

// check runs on the timer's goroutine.
func (l *life) check(ctx context.Context) {
	t := l.token.Load()
	if err := l.judge(ctx, t); err != nil && l.finish(t) {
		l.cancel(err)
		l.tell(context.WithoutCancel(ctx), t, err)
		return
	}
	l.arm()
}

// tell tells who wants to know that the request is over. There is no net/http
// above this goroutine to contain a panic of a hook or of a log handler.
func (l *life) tell(ctx context.Context, t *Token, err *Error) {
	defer func() {
		if x := recover(); x != nil {
			logPanic(ctx, t, "a hook panicked", x)
		}
	}()
	l.under()[0].v.refused(ctx, l.r, err)
}

// logPanic logs what was recovered as x. The stack says where; what was panicked
// with may hold anything.
func logPanic(ctx context.Context, t *Token, what string, x any) {
	defer func() { _ = recover() }() // a log handler that panics cannot be told of
	orDefault(t.authority.profile.log).ErrorContext(ctx, "jwtbearer: "+what, "type", fmt.Sprintf("%T", x), "stack", string(debug.Stack()))
}

// finish notes that the request is over because t is no longer good, unless it
// was over before, or a renewed token has taken its place while it was judged.
func (l *life) finish(t *Token) bool {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	if l.over || l.token.Load() != t {
		return false
	}
	l.over = true
	return true
}

// renew puts t in the place of the token in use, unless the request is over.
func (l *life) renew(t *Token) bool {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	if l.over {
		return false
	}
	l.token.Store(t)
	return true
}

// arm sets the timer to the next check, unless the request is over.
func (l *life) arm() {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	if !l.over {
		l.timer.Reset(l.next(time.Now()))
	}
}

// judge returns why the token is no longer good.
func (l *life) judge(ctx context.Context, t *Token) (refused *Error) {
	// There is no net/http above this goroutine to contain a panic in a
	// Checker or an Introspector. It is no pass.
	defer func() {
		if x := recover(); x != nil {
			logPanic(ctx, t, "a Checker panicked, which ends the request", x)
			refused = &Error{Reason: ErrCheckUnavailable, Detail: "a Checker panicked", authority: t.authority}
		}
	}()
	now := time.Now()
	asked := false
	for _, p := range l.under() {
		if err := p.admit(t, now, true); err != nil {
			return err
		}
		if !p.asksCheckers() || asked {
			continue
		}
		asked = true
		if err := t.checkAlive(ctx, l.r); err != nil && errors.Is(err, ErrInvalidToken) {
			return err
		}
	}
	if t.key == nil {
		// Only its authority can say what an opaque token is worth by now.
		p := l.under()[0]
		if _, err := p.v.introspect(ctx, p, t.raw); err != nil && errors.Is(err, ErrInvalidToken) {
			return err
		}
		return nil
	}
	if !t.authority.allowed() {
		return t.authority.refuse(ErrIssuer)
	}
	if errors.Is(t.authority.keys.Holds(t.key, now), jwks.ErrKeyNotFound) {
		return t.authority.refuse(ErrUnknownKey)
	}
	return nil
}

// Extend lets a request under [Recheck] go on with a renewed token, which its
// client has sent over the request's own protocol. The token must be good for
// every policy that admitted the request, of a group and of a route say, and be of
// the same issuer and subject, or of the same client if it names no subject; one
// that names neither is no renewal. Policies of another verifier around that have
// Recheck, and have admitted the request by the same token, are extended with it.
//
// [TokenFrom] returns the renewed token from then on. Extend returns an *[Error]
// if the token is not good, in which case the old one still counts, and another
// error if the request is not under Recheck or already over.
func Extend(ctx context.Context, raw string) error {
	a := admissionFrom(ctx)
	if a == nil || a.life == nil {
		return errors.New("jwtbearer: Extend: the request is not under Recheck")
	}
	lives := a.lives()
	renewed := make([]*Token, len(lives))
	for i, l := range lives {
		t, err := l.extend(ctx, raw)
		if err != nil {
			l.under()[0].v.refused(ctx, l.r, err)
			return err
		}
		renewed[i] = t
	}
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("jwtbearer: Extend: the request is over: %w", err)
	}
	for i, l := range lives {
		if !l.renew(renewed[i]) {
			return errors.New("jwtbearer: Extend: the request is over")
		}
		l.under()[0].v.accepted(ctx, l.r, renewed[i])
		l.arm()
	}
	return nil
}

// lives returns the life of the request and, further out, those that other
// verifiers gave it by the same token: any of them ends the request.
func (a *admission) lives() []*life {
	raw := a.life.token.Load().raw
	var lives []*life
	for ; a != nil; a = admissionFrom(a.Context) {
		if a.life != nil && a.life.token.Load().raw == raw && !slices.Contains(lives, a.life) {
			lives = append(lives, a.life)
		}
	}
	return lives
}

// extend returns the token raw if it may take the place of the one in use.
func (l *life) extend(ctx context.Context, raw string) (*Token, *Error) {
	var renewed *admission
	for _, p := range l.under() {
		t, err := p.verify(ctx, raw, l.r, renewed)
		if err != nil {
			return nil, err
		}
		checked := p.asksCheckers() || renewed != nil && renewed.checked
		renewed = &admission{v: p.v, token: t, checked: checked}
	}
	old, by := l.token.Load(), renewed.token
	sameClient := by.ClientID() != "" && by.ClientID() == old.ClientID()
	if by.issuer != old.issuer || by.subject != old.subject || by.subject == "" && !sameClient {
		err := renewed.token.authority.refuse(errRefused)
		err.Detail = "it is not of the subject that made the request"
		return nil, err
	}
	return renewed.token, nil
}

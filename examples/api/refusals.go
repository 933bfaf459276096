package main

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/bearerguard/bearerguard/jwtbearer"
)

// logRefusal writes one line for each refusal. Reason and Detail are made for
// logs: they hold nothing of a token that was not verified. Neither does the
// path; a query may, so it is left out.
func logRefusal(logger *slog.Logger) func(context.Context, *http.Request, *jwtbearer.Error) {
	return func(ctx context.Context, r *http.Request, refused *jwtbearer.Error) {
		attrs := []slog.Attr{
			slog.Any("reason", refused.Reason),
			slog.Int("status", jwtbearer.StatusCode(refused)),
		}
		if refused.Detail != "" {
			attrs = append(attrs, slog.String("detail", refused.Detail))
		}
		if r != nil {
			attrs = append(attrs, slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.String("client", r.RemoteAddr))
		}
		logger.LogAttrs(ctx, slog.LevelInfo, "request refused", attrs...)
	}
}

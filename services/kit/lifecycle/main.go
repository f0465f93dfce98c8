package lifecycle

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"parley.sh/services/kit/config"
	"parley.sh/services/kit/telemetry"
)

// The exit codes of Main.
const (
	ExitOK        = 0
	ExitFailure   = 1
	ExitBadConfig = 2
)

// Main is the whole of a service's main function. It loads a C from the
// environment, starts telemetry for the service called name, logs the effective
// configuration, calls run and exits: 0 when run returned nil, 1 when it failed
// or panicked, 2 when the configuration is bad. SIGTERM and SIGINT end run's
// context; a second one ends the process at once.
func Main[C Configured](name string, run func(ctx context.Context, cfg C, t *telemetry.Telemetry) error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	// The first signal ends ctx and gives the next one back its usual effect.
	context.AfterFunc(ctx, stop)
	code := execute(ctx, name, run)
	stop()
	os.Exit(code)
}

// execute is Main without the process around it.
func execute[C Configured](
	ctx context.Context, name string, run func(context.Context, C, *telemetry.Telemetry) error,
) int {
	var cfg C
	if err := config.Load(&cfg); err != nil {
		complain(ctx, name, err)
		return ExitBadConfig
	}
	t, err := telemetry.Start(ctx, name, cfg.Lifecycle().Telemetry)
	if err != nil {
		complain(ctx, name, err)
		return ExitFailure
	}
	t.Log.LogAttrs(ctx, slog.LevelInfo, "starting",
		append(config.Attrs(cfg), slog.String("version", telemetry.Version()))...)
	ctx = context.WithValue(ctx, logKey{}, t.Log)
	return finish(ctx, t, protect(func() error { return run(ctx, cfg, t) }))
}

// logKey is where Main leaves the log for Serve.
type logKey struct{}

// logOf returns the log of the process, or a silent one outside of Main.
func logOf(ctx context.Context) *slog.Logger {
	if log, ok := ctx.Value(logKey{}).(*slog.Logger); ok {
		return log
	}
	return slog.New(slog.DiscardHandler)
}

// finish says how it ended, flushes telemetry last, and returns the exit code.
func finish(ctx context.Context, t *telemetry.Telemetry, err error) int {
	ctx = context.WithoutCancel(ctx)
	code := ExitOK
	if err != nil {
		code = ExitFailure
		t.Log.ErrorContext(ctx, "failed", "err", err)
	} else {
		t.Log.InfoContext(ctx, "stopped")
	}
	if err := t.Shutdown(ctx); err != nil {
		t.Log.WarnContext(ctx, "telemetry not flushed", "err", err)
	}
	return code
}

// complain reports an error from before telemetry, one line a problem.
func complain(ctx context.Context, name string, err error) {
	log := telemetry.NewLog(os.Stdout, name, slog.LevelInfo)
	var bad *config.Error
	if !errors.As(err, &bad) {
		log.ErrorContext(ctx, "not started", "err", err)
		return
	}
	for _, p := range bad.Problems {
		log.ErrorContext(ctx, "bad configuration", "variable", p.Variable, "problem", p.What, "fix", p.Fix)
	}
}

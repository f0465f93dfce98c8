package inbox

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/kit/postgres"
)

// ahead is for how many days after today partitions are made: consumers make their
// own where a Keeper did not run for that long.
const ahead = 2

// retry is the pause after a sweep that failed.
const retry = 5 * time.Second

// Keeper makes the partitions of the days to come and drops those that are
// forgotten. Every replica runs one; an advisory lock lets one of them work.
type Keeper struct {
	db      *postgres.DB
	cfg     Config
	log     *slog.Logger
	now     func() time.Time
	metrics *metrics
}

// NewKeeper returns a Keeper of the inbox in db. It connects to nothing before Run.
func NewKeeper(db *postgres.DB, cfg Config, opts Options) *Keeper {
	k := &Keeper{db: db, cfg: cfg, log: opts.Log, now: opts.Now, metrics: newMetrics(opts.Registerer)}
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	if k.now == nil {
		k.now = time.Now
	}
	return k
}

// Run sweeps at once and then every SweepInterval until ctx ends. It returns nil:
// a sweep that fails is logged and tried again.
func (k *Keeper) Run(ctx context.Context) error {
	for {
		pause := k.cfg.SweepInterval
		if err := k.sweep(ctx); err != nil && ctx.Err() == nil {
			k.metrics.failures.Inc()
			k.log.WarnContext(ctx, "inbox partitions not swept", "err", err)
			pause = min(pause, retry)
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2+1))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// sweep does nothing if another replica is at it. A connection that is lost lets go
// of the lock.
func (k *Keeper) sweep(ctx context.Context) error {
	conn, err := connect(ctx, k.db.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer closeConn(ctx, conn)
	var mine bool
	row := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock('inbox'::regclass::oid::int, 2)`)
	if err := row.Scan(&mine); err != nil {
		return postgres.Map(fmt.Errorf("lock the inbox's partitions: %w", err))
	}
	if !mine {
		return nil
	}
	defer unlock(ctx, conn)
	return k.keep(ctx, conn, dayOf(k.now()))
}

// unlock spares the next sweep the wait for the server to notice the closing.
func unlock(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_, _ = conn.Exec(ctx, `SELECT pg_advisory_unlock('inbox'::regclass::oid::int, 2)`)
}

// keep raises kept_from before it drops what lies before it. In this order no
// message can be handled a second time: while its row goes, and ever after, Once
// refuses it. A clock that was set back lowers nothing.
func (k *Keeper) keep(ctx context.Context, conn *pgx.Conn, today date) error {
	var kept time.Time
	row := conn.QueryRow(ctx,
		`UPDATE inbox_window SET kept_from = greatest(kept_from, $1::date) RETURNING kept_from`,
		(today - date(k.cfg.Keep/day)).date())
	if err := row.Scan(&kept); err != nil {
		return postgres.Map(fmt.Errorf("raise the inbox's window: %w", err))
	}
	for d := max(today, dayOf(kept)); d <= today+ahead; d++ {
		if err := makePartition(ctx, conn, d); err != nil {
			return err
		}
	}
	return k.drop(ctx, conn, kept)
}

// drop drops the days before kept.
func (k *Keeper) drop(ctx context.Context, conn *pgx.Conn, kept time.Time) error {
	parts, err := partitions(ctx, conn)
	if err != nil {
		return err
	}
	left := 0
	for _, p := range parts {
		if !p.day.Before(kept) {
			left++
			continue
		}
		if err := p.drop(ctx, conn); err != nil {
			return err
		}
		k.log.InfoContext(ctx, "inbox partition dropped", "partition", p.name)
	}
	k.metrics.partitions.Set(float64(left))
	k.metrics.keptFrom.Set(float64(kept.Unix()))
	return nil
}

// partition is a table of one day. One that is not attached was left behind by a
// sweep that died between detaching and dropping.
type partition struct {
	name     string
	day      time.Time
	attached bool
	pending  bool // a detach began and did not end
}

func partitions(ctx context.Context, conn *pgx.Conn) ([]partition, error) {
	rows, err := conn.Query(ctx, `
		SELECT c.relname, to_date(right(c.relname, 8), 'YYYYMMDD')::timestamp,
		       i.inhrelid IS NOT NULL, coalesce(i.inhdetachpending, false)
		FROM pg_class p
		JOIN pg_class c ON c.relnamespace = p.relnamespace AND c.relkind = 'r' AND c.relname ~ '^inbox_[0-9]{8}$'
		LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND i.inhparent = p.oid
		WHERE p.oid = 'inbox'::regclass
		ORDER BY c.relname`)
	if err != nil {
		return nil, postgres.Map(fmt.Errorf("list the inbox's partitions: %w", err))
	}
	parts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (partition, error) {
		var p partition
		err := row.Scan(&p.name, &p.day, &p.attached, &p.pending)
		return p, err
	})
	if err != nil {
		return nil, postgres.Map(fmt.Errorf("list the inbox's partitions: %w", err))
	}
	return parts, nil
}

// drop detaches concurrently, which waits for the transactions that use the
// partition and holds up no other, and finishes a detach that was interrupted.
func (p partition) drop(ctx context.Context, conn *pgx.Conn) error {
	table := pgx.Identifier{p.name}.Sanitize()
	how := "CONCURRENTLY"
	if p.pending {
		how = "FINALIZE"
	}
	if p.attached {
		if _, err := conn.Exec(ctx, "ALTER TABLE inbox DETACH PARTITION "+table+" "+how); err != nil {
			return postgres.Map(fmt.Errorf("detach inbox partition %s: %w", p.name, err))
		}
	}
	if _, err := conn.Exec(ctx, "DROP TABLE "+table); err != nil {
		return postgres.Map(fmt.Errorf("drop inbox partition %s: %w", p.name, err))
	}
	return nil
}

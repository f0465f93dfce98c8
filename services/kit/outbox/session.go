package outbox

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/kit/postgres"
)

// timing is how a lost session is noticed. The server ends a session that was
// silent for idle, whatever lies between: a proxy may keep up the TCP connection of a
// client that is gone. The client has given up by then: interval + timeout is well
// below fresh, and fresh below idle.
type timing struct {
	// interval is the pause between two beats, timeout bounds one.
	interval, timeout time.Duration
	// fresh is how old a beat may be for new work to begin.
	fresh time.Duration
	// idle is when the server gives up on the session.
	idle time.Duration
}

func defaultTiming() timing {
	return timing{
		interval: time.Second,
		timeout:  5 * time.Second,
		fresh:    10 * time.Second,
		idle:     14 * time.Second,
	}
}

// present is the advisory lock that every relay shares; shards are below it. The
// first half of the key of each is the table itself, so that two outboxes in one
// database do not meet.
const present = 1000

// session is the pinned connection whose advisory locks are the shards. If it is
// lost, so are they, at the same moment.
type session struct {
	conn   *pgx.Conn
	tenure *tenure
	timing timing
	log    *slog.Logger
	gauge  func(shards int)
	// id is the relay's, by which it knows its own words; woken is called when another
	// one says that rows were committed.
	id    string
	woken func()
	// locked are the shards whose lock this session has.
	locked [Shards]bool
}

// connect makes the connection and the relay's presence known.
func (s *session) connect(ctx context.Context, cfg *pgx.ConnConfig) error {
	ctx, cancel := context.WithTimeout(ctx, s.timing.timeout)
	defer cancel()
	cfg.Tracer = nil
	cfg.RuntimeParams["application_name"] = "outbox shards"
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return postgres.Map(fmt.Errorf("connect for the outbox's shards: %w", err))
	}
	s.conn = conn
	setup := fmt.Sprintf(`
		SET idle_session_timeout = %d;
		SELECT pg_advisory_lock_shared('outbox'::regclass::oid::int, %d);
		DO $$ BEGIN EXECUTE 'LISTEN outbox_' || 'outbox'::regclass::oid; END $$`,
		s.timing.idle.Milliseconds(), present)
	if _, err := conn.Exec(ctx, setup); err != nil {
		s.close(ctx)
		return postgres.Map(fmt.Errorf("open the session of the outbox's shards: %w", err))
	}
	return nil
}

// close lets go of the locks. It says so to the server, which otherwise takes a
// moment to notice that the connection was closed.
func (s *session) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timing.interval)
	defer cancel()
	_, _ = s.conn.Exec(ctx, `SELECT pg_advisory_unlock_all()`)
	_ = s.conn.Close(ctx)
	s.gauge(0)
}

// keep holds this replica's share of the shards until ctx ends or the session is
// lost; then it returns the reason.
func (s *session) keep(ctx context.Context) error {
	for {
		if err := s.beat(ctx); err != nil {
			return postgres.Map(fmt.Errorf("keep the outbox's shards: %w", err))
		}
		if err := s.pause(ctx); err != nil {
			return postgres.Map(fmt.Errorf("keep the outbox's shards: %w", err))
		}
	}
}

// pause waits for the next beat. It reads from the connection meanwhile, and so
// notices at once when the server closes it.
func (s *session) pause(ctx context.Context) error {
	until, cancel := context.WithTimeout(ctx, s.timing.interval)
	defer cancel()
	for {
		word, err := s.conn.WaitForNotification(until)
		switch {
		case err == nil && word.Payload != s.id:
			s.woken()
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err()
		case until.Err() != nil && !s.conn.IsClosed():
			return nil
		default:
			return err
		}
	}
}

// beat shows the server that this replica is alive and brings its share up to date.
func (s *session) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timing.timeout)
	defer cancel()
	at := time.Now() // before the server hears it: it counts its patience from later on
	view, err := s.look(ctx)
	if err != nil {
		return err
	}
	s.tenure.beat(at)
	if err := s.unlock(ctx); err != nil {
		return err
	}
	share := quota(view.rank, view.replicas)
	if held := s.holding(); len(held) > share {
		s.tenure.give(held[share:])
		s.log.InfoContext(ctx, "outbox shards given up", "count", len(held)-share, "replicas", view.replicas)
	}
	if n := share - s.count(); n > 0 {
		return s.lock(ctx, view.free, n)
	}
	return nil
}

// view is who holds what.
type view struct {
	// replicas is how many relays there are, rank the place of this one among them.
	replicas, rank int
	free           []int
}

const look = `
SELECT objid::int, pid, pid = pg_backend_pid()
FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid = 'outbox'::regclass
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY pid`

func (s *session) look(ctx context.Context) (view, error) {
	rows, err := s.conn.Query(ctx, look)
	if err != nil {
		return view{}, err
	}
	var v view
	var taken [Shards]bool
	var object, pid int
	var mine bool
	_, err = pgx.ForEachRow(rows, []any{&object, &pid, &mine}, func() error {
		switch {
		case object >= 0 && object < Shards:
			taken[object] = true
		case object == present:
			if mine {
				v.rank = v.replicas
			}
			v.replicas++
		}
		return nil
	})
	for shard, t := range taken {
		if !t {
			v.free = append(v.free, shard)
		}
	}
	return v, err
}

// quota is the share of the replica of a rank: all shares add up to Shards, and
// none is more than one above another.
func quota(rank, replicas int) int {
	replicas = max(1, replicas)
	share := Shards / replicas
	if rank < Shards%replicas {
		share++
	}
	return share
}

// holding lists the shards that are held and not being given up, in random order.
func (s *session) holding() []int {
	held := s.tenure.shards()
	shards := make([]int, len(held))
	for i, shard := range held {
		shards[i] = int(shard)
	}
	shuffle(shards)
	return shards
}

func shuffle(shards []int) {
	rand.Shuffle(len(shards), func(i, j int) { shards[i], shards[j] = shards[j], shards[i] })
}

func (s *session) count() int {
	n := 0
	for _, locked := range s.locked {
		if locked {
			n++
		}
	}
	return n
}

// unlock lets other replicas have what was given up and is done.
func (s *session) unlock(ctx context.Context) error {
	var shards []int
	for shard, locked := range s.locked {
		if locked && s.tenure.done(shard) {
			shards = append(shards, shard)
		}
	}
	if len(shards) == 0 {
		return nil
	}
	_, err := s.conn.Exec(ctx,
		`SELECT pg_advisory_unlock('outbox'::regclass::oid::int, s) FROM unnest($1::int[]) s`, shards)
	if err != nil {
		return err
	}
	for _, shard := range shards {
		s.locked[shard] = false
	}
	s.gauge(s.count())
	return nil
}

// lock takes up to n of the free shards, at random: others are choosing too.
func (s *session) lock(ctx context.Context, free []int, n int) error {
	shuffle(free)
	free = free[:min(n, len(free))]
	if len(free) == 0 {
		return nil
	}
	rows, err := s.conn.Query(ctx, `
		SELECT s FROM unnest($1::int[]) s WHERE pg_try_advisory_lock('outbox'::regclass::oid::int, s)`, free)
	if err != nil {
		return err
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return err
	}
	for _, shard := range got {
		s.locked[shard] = true
	}
	s.tenure.take(got)
	s.gauge(s.count())
	if len(got) > 0 {
		slices.Sort(got)
		s.log.InfoContext(ctx, "outbox shards taken", "shards", got, "held", s.count())
	}
	return nil
}

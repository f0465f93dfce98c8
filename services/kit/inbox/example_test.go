package inbox_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/kit/inbox"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/postgres"
)

// A handler notes the message first, in the transaction of its effect.
func ExampleOnce() {
	handler := func(db *postgres.DB) message.Handler {
		return func(ctx context.Context, m message.Message) error {
			return db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
				fresh, err := inbox.Once(ctx, tx, "inventory", m)
				if err != nil || !fresh {
					return err
				}
				_, err = tx.Exec(ctx, `UPDATE stock SET reserved = reserved + 1 WHERE product_id = $1`, m.Subject)
				return err
			})
		}
	}
	_ = handler
}

func ExampleConfig_Validate() {
	cfg := inbox.Defaults()
	cfg.Keep = 0
	fmt.Println(cfg.Validate())
	// Output: INBOX_KEEP is out of range: give 24h0m0s to 9600h0m0s
}

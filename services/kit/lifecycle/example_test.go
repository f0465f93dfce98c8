package lifecycle_test

import (
	"context"
	"fmt"
	"time"

	"parley.sh/services/kit/lifecycle"
)

func ExampleServe() {
	part := func(name string) lifecycle.Part {
		return lifecycle.Part{Name: name, Run: func(ctx context.Context) error {
			<-ctx.Done() // take no more work
			fmt.Println(name, "stopped")
			return nil
		}}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // as SIGTERM would
	err := lifecycle.Serve(ctx, lifecycle.Config{ShutdownTimeout: 20 * time.Second},
		lifecycle.Stage{part("http")},
		lifecycle.Stage{part("relay")},
		lifecycle.Stage{part("kafka")},
	)
	fmt.Println(err)
	// Output:
	// http stopped
	// relay stopped
	// kafka stopped
	// <nil>
}

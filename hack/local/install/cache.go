package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Cache is the folder of downloads: parley in XDG_CACHE_HOME, or in ~/.cache without that.
func Cache() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w; set XDG_CACHE_HOME", err)
	}
	return filepath.Join(base, "parley"), nil
}

// cached returns the folder of a cache entry, which build fills when it is not there yet. One process at a time makes an entry;
// others wait for it.
func (i Installer) cached(ctx context.Context, entry string, build func(ctx context.Context, dir string) error) (string, error) {
	cache, err := Cache()
	if err != nil {
		return "", err
	}
	final := filepath.Join(cache, entry)
	if isThere(final) {
		return final, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("make the cache folder: %w", err)
	}
	unlock, err := i.lock(ctx, final+".lock", entry)
	if err != nil {
		return "", err
	}
	defer unlock()
	if isThere(final) {
		return final, nil
	}
	return final, fill(ctx, final, build)
}

// lock takes the lock of an entry and says so when it has to wait for another process.
func (i Installer) lock(ctx context.Context, file, entry string) (unlock func(), err error) {
	unlock, err = TryLock(file)
	if !errors.Is(err, ErrLocked) {
		return unlock, err
	}
	err = i.Progress.Do(ctx, "wait for another run, which makes "+entry, func(ctx context.Context) error {
		unlock, err = Lock(ctx, file)
		return err
	})
	return unlock, err
}

// fill builds in a folder beside the final one, which it removes first: an interrupted run may have left it, and the lock is
// ours.
func fill(ctx context.Context, final string, build func(ctx context.Context, dir string) error) error {
	part := final + ".part"
	if err := os.RemoveAll(part); err != nil {
		return fmt.Errorf("remove what an interrupted run left: %w", err)
	}
	if err := os.MkdirAll(part, 0o755); err != nil {
		return fmt.Errorf("make a folder in the cache: %w", err)
	}
	if err := build(ctx, part); err != nil {
		return errors.Join(err, os.RemoveAll(part))
	}
	if err := os.Rename(part, final); err != nil {
		return fmt.Errorf("put %s into the cache: %w", filepath.Base(final), err)
	}
	return nil
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Lock takes the lock that file stands for, waiting until its holder lets go or ctx ends. The kernel lets go of it when the
// holder dies. The returned function lets go of it.
func Lock(ctx context.Context, file string) (unlock func(), err error) {
	for {
		unlock, err = TryLock(file)
		if !errors.Is(err, ErrLocked) {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for %s: %w", file, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// ErrLocked says that another process holds a lock.
var ErrLocked = errors.New("held by another process")

// TryLock takes the lock that file stands for, or fails with ErrLocked at once.
func TryLock(file string) (unlock func(), err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return func() { _ = f.Close() }, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("lock %s: %w", file, ErrLocked)
	}
	return nil, fmt.Errorf("lock %s: %w", file, err)
}

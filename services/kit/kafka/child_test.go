package kafka

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"parley.sh/services/kit/message"
	"parley.sh/services/kit/servertest"
)

// childVariable makes the test binary a consumer that is there to be killed.
const childVariable = "KAFKA_TEST_CHILD"

// childTask is what a child consumes, and the file in which it notes what it has
// finished.
type childTask struct {
	Brokers        []string
	Topic, Journal string
}

// journalLine is one message finished. It is written before the handler returns,
// so whatever was committed is in the file.
type journalLine struct {
	Partition int32
	Offset    int64
	Key, ID   string
}

// child consumes until it is killed.
func child() int {
	var task childTask
	if err := json.Unmarshal([]byte(os.Getenv(childVariable)), &task); err != nil {
		return 2
	}
	journal, err := os.OpenFile(task.Journal, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 2
	}
	cfg := testConfig(task.Brokers)
	cfg.SessionTimeout, cfg.CommitInterval = 6*time.Second, 20*time.Millisecond
	consumer := NewConsumer(cfg, ConsumerConfig{Group: task.Topic, Topics: []string{task.Topic}},
		func(_ context.Context, m message.Message) error {
			<-time.After(rand.N(20 * time.Millisecond))
			line, err := json.Marshal(journalLine{m.Delivery.Partition, m.Delivery.Offset, m.Key, m.ID})
			if err == nil {
				_, err = journal.Write(append(line, '\n')) // one write: lines of several children do not mix
			}
			return err
		}, Options{Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err := consumer.Run(context.Background()); err != nil {
		return 1
	}
	return 0
}

// TestKilled kills consumers with SIGKILL in the middle of their work, again and
// again. No committed offset ever passes a message that was not finished, and in
// the end every message was, those of each key in order.
func TestKilled(t *testing.T) {
	t.Parallel()
	const partitions, messages, kills = 3, 6000, 3
	brokers := servertest.Kafka(t)
	topic := testTopic(t, brokers, partitions, nil)
	j := &journal{
		t: t, file: filepath.Join(t.TempDir(), "journal"),
		finished: map[int32]map[int64]bool{}, seen: map[string]bool{}, last: map[string]string{},
	}
	task := childTask{Brokers: brokers, Topic: topic, Journal: j.file}
	p := testPublisher(t, testConfig(brokers))
	sent := make([]message.Message, messages)
	for i := range sent {
		sent[i] = testMessage(topic, fmt.Sprintf("key-%d", i%50))
	}
	publish(t, p, sent...)
	children := []*exec.Cmd{spawn(t, task), spawn(t, task)}
	for i := range kills {
		target := len(j.ids()) + 300
		eventually(t, "work to be done", func() bool { return len(j.ids()) >= min(target, messages) })
		kill(t, children[i%2])
		j.check(brokers, topic, partitions)
		children[i%2] = spawn(t, task)
	}
	eventually(t, "every message to be finished", func() bool { return len(j.ids()) == messages })
	eventually(t, "everything to be committed", func() bool { return j.check(brokers, topic, partitions) == messages })
}

func spawn(t *testing.T, task childTask) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0]) //nolint:noctx // it ends by kill alone
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(t, cmd) })
	return cmd
}

// kill sends SIGKILL.
func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if cmd.ProcessState != nil {
		return
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // "signal: killed"
}

// journal reads what the children have written so far.
type journal struct {
	t        *testing.T
	file     string
	read     int64
	finished map[int32]map[int64]bool
	seen     map[string]bool
	last     map[string]string
}

// ids returns the messages that were finished at least once.
func (j *journal) ids() map[string]bool {
	f, err := os.Open(j.file)
	if err != nil {
		return j.seen
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Seek(j.read, 0); err != nil {
		j.t.Fatal(err)
	}
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return j.seen
		}
		j.read += int64(len(line))
		j.note(line)
	}
}

func (j *journal) note(text []byte) {
	var line journalLine
	if err := json.Unmarshal(text, &line); err != nil {
		j.t.Fatalf("journal line %q: %v", text, err)
	}
	if j.finished[line.Partition] == nil {
		j.finished[line.Partition] = map[int64]bool{}
	}
	j.finished[line.Partition][line.Offset] = true
	if j.seen[line.ID] {
		return // delivered again
	}
	j.seen[line.ID] = true
	if j.last[line.Key] >= line.ID {
		j.t.Errorf("%s: %s was finished after %s", line.Key, line.ID, j.last[line.Key])
	}
	j.last[line.Key] = line.ID
}

// check compares the committed offsets with the journal and returns their sum.
func (j *journal) check(brokers []string, topic string, partitions int32) int64 {
	var sum int64
	for p := range partitions {
		offset := max(committed(j.t, brokers, topic, topic, p), 0)
		sum += offset
		j.ids() // after the commit: what was committed is in the file
		for at := range offset {
			if !j.finished[p][at] {
				j.t.Fatalf("partition %d: commit of %d passes the unfinished %d", p, offset, at)
			}
		}
	}
	return sum
}

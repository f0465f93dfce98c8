package kafka

import (
	"testing"

	"pgregory.net/rapid"
)

// TestTracker compares the tracker with a plain list of everything.
func TestTracker(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.Int64Range(-2, 50).Draw(t, "first")
		tr := newTracker(first)
		model := &trackerModel{next: max(first, unknown)}
		t.Repeat(map[string]func(*rapid.T){
			"add":    func(t *rapid.T) { model.add(t, &tr) },
			"finish": func(t *rapid.T) { model.finish(t, &tr) },
			"skip":   func(t *rapid.T) { model.skip(t, &tr) },
			"":       func(t *rapid.T) { model.compare(t, &tr) },
		})
	})
}

type trackerModel struct {
	next    int64
	offsets []int64
	numbers []uint64
	done    []bool
}

func (m *trackerModel) add(t *rapid.T, tr *tracker) {
	for range rapid.IntRange(1, 2000).Draw(t, "messages") {
		offset := max(m.next, 0) + int64(rapid.IntRange(0, 1).Draw(t, "gap"))
		m.next = offset + 1
		m.offsets = append(m.offsets, offset)
		m.numbers = append(m.numbers, tr.add(offset))
		m.done = append(m.done, false)
	}
}

func (m *trackerModel) finish(t *rapid.T, tr *tracker) {
	for range rapid.IntRange(1, 2000).Draw(t, "messages") {
		i, ok := m.pick(t)
		if !ok {
			return
		}
		m.done[i] = true
		tr.finish(m.numbers[i])
	}
}

// pick chooses an unfinished message, mostly an old one.
func (m *trackerModel) pick(t *rapid.T) (int, bool) {
	skip := rapid.IntRange(0, 3).Draw(t, "skip")
	last := -1
	for i := range m.done {
		if !m.done[i] {
			last = i
			if skip == 0 {
				break
			}
			skip--
		}
	}
	return last, last >= 0
}

func (m *trackerModel) skip(t *rapid.T, tr *tracker) {
	offset := m.next + int64(rapid.IntRange(-3, 3).Draw(t, "by"))
	m.next = max(m.next, offset)
	tr.skipTo(offset)
}

func (m *trackerModel) compare(t *rapid.T, tr *tracker) {
	want, ahead := m.next, 0
	for i := range m.done {
		if !m.done[i] {
			want, ahead = m.offsets[i], len(m.done)-i
			break
		}
	}
	if got := tr.committable(); got != want {
		t.Fatalf("committable = %d, want %d", got, want)
	}
	if got := tr.ahead(); got != ahead {
		t.Fatalf("ahead = %d, want %d", got, ahead)
	}
}

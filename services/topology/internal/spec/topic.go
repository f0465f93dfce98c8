package spec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley.sh/services/topology/api/v1alpha1"
	"parley.sh/services/topology/internal/manifest"
	"parley.sh/services/topology/internal/plan"
)

// deadLetterRetention is how long a dead-lettered record is kept.
const deadLetterRetention = 30 * 24 * time.Hour

func (c *compiler) topic(d manifest.Document, t *v1alpha1.Topic) {
	s := &t.Spec
	w := plan.WantTopic{
		Topic:            plan.Topic{Name: t.TopicName(), Config: map[string]string{}},
		Owner:            owner(d),
		Exclusive:        s.ConfigPolicy == v1alpha1.Exclusive,
		Unmanaged:        s.UnmanagedConfig,
		AllowRepartition: s.AllowRepartition,
	}
	if s.Partitions != nil {
		w.Partitions = *s.Partitions
	}
	if s.Replicas != nil {
		w.Replicas = *s.Replicas
	}
	for k, v := range s.Config {
		w.Config[k] = string(v)
	}
	c.wantTopic(d, w)
	if s.DeadLetter == nil {
		return
	}
	for _, group := range s.DeadLetter.Groups {
		c.wantTopic(d, deadLetterTopic(w, group))
	}
}

func (c *compiler) wantTopic(d manifest.Document, w plan.WantTopic) {
	if c.claim(d, w.ID()) {
		c.out.Topics = append(c.out.Topics, w)
	}
}

// deadLetterTopic is the topic of what a group gives up. Its partitions and the
// size of its records follow its parent; that is the plan's to work out.
func deadLetterTopic(parent plan.WantTopic, group v1alpha1.ConsumerGroup) plan.WantTopic {
	return plan.WantTopic{
		Topic: plan.Topic{
			Name:     v1alpha1.DeadLetterTopic(parent.Name, group),
			Replicas: parent.Replicas,
			Config: map[string]string{
				"cleanup.policy": "delete",
				"retention.ms":   strconv.FormatInt(deadLetterRetention.Milliseconds(), 10),
			},
		},
		Owner:  parent.Owner,
		Parent: parent.Name,
	}
}

// collisions refuses two topics whose names differ only in "." and "_": Kafka
// makes one name of both in its metrics and refuses the second.
func (c *compiler) collisions() {
	first := map[string]plan.ID{}
	for _, id := range sortedTopics(c.made) {
		key := strings.ReplaceAll(id.Name, ".", "_")
		other, taken := first[key]
		if !taken {
			first[key] = id
			continue
		}
		c.problems = append(c.problems, c.made[id].At("spec.name", fmt.Sprintf(
			"makes topic %s, which collides with topic %s of %s: Kafka takes \".\" and \"_\" for the same; name one of them otherwise",
			id.Name, other.Name, c.made[other].Owner())))
	}
}

func sortedTopics(made map[plan.ID]manifest.Document) []plan.ID {
	var out []plan.ID
	for id := range made {
		if id.Kind == plan.KindTopic {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, func(a, b plan.ID) int { return strings.Compare(a.Name, b.Name) })
	return out
}

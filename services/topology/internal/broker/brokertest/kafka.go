package brokertest

import (
	"maps"

	"parley.sh/services/kit/fault"
	"parley.sh/services/topology/internal/plan"
)

func (w *World) topic(s plan.Step, t *plan.Topic) error {
	state, there := w.Holds.Topics[t.Name]
	switch {
	case s.Op == plan.Create && there:
		return nil
	case s.Op == plan.Create:
		state = fresh(t)
	case !there:
		return fault.New(fault.NotFound, "no such topic")
	case s.Op == plan.Update:
		state.Config = configured(state.Config, s, t)
	case s.Op == plan.Grow && t.Partitions > state.Partitions:
		state.Partitions = t.Partitions
	default:
		return fault.Newf(fault.Invalid, "cannot %s", s.Key)
	}
	if w.Holds.Topics == nil {
		w.Holds.Topics = map[string]plan.TopicState{}
	}
	w.Holds.Topics[t.Name] = state
	return nil
}

func fresh(t *plan.Topic) plan.TopicState {
	out := plan.TopicState{Partitions: max(t.Partitions, 1), Replicas: max(t.Replicas, 1), Config: Defaults()}
	for k, v := range t.Config {
		out.Config[k] = own(out.Config[k], v)
	}
	return out
}

func own(s plan.Setting, value string) plan.Setting {
	s.Value, s.Own = value, true
	return s
}

// Defaults are some of the settings that every topic has, as a broker tells them.
func Defaults() map[string]plan.Setting {
	out := map[string]plan.Setting{
		"retention.ms":                   {Value: "604800000", Type: plan.TypeInt},
		"retention.bytes":                {Value: "-1", Type: plan.TypeInt},
		"max.message.bytes":              {Value: "1048588", Type: plan.TypeInt},
		"cleanup.policy":                 {Value: "delete", Type: plan.TypeList},
		"min.cleanable.dirty.ratio":      {Value: "0.5", Type: plan.TypeFloat},
		"min.insync.replicas":            {Value: "1", Type: plan.TypeInt},
		"unclean.leader.election.enable": {Value: "false", Type: plan.TypeBool},
		"compression.type":               {Value: "producer"},
	}
	for key, s := range out {
		s.Default = s.Value
		out[key] = s
	}
	return out
}

func configured(config map[string]plan.Setting, s plan.Step, t *plan.Topic) map[string]plan.Setting {
	config = maps.Clone(config)
	for _, f := range s.Fields {
		key, ok := f.ConfigKey()
		if !ok {
			continue
		}
		value, listed := t.Config[key]
		known, standard := Defaults()[key]
		switch {
		case listed:
			config[key] = own(config[key], value)
		case standard:
			config[key] = known
		default:
			delete(config, key)
		}
	}
	return config
}

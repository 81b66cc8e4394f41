package engine

import (
	"encoding/json"
	"fmt"
	"strings"

	control "github.com/moby/buildkit/api/services/control"
)

// quotedLines is how much of a failed step's output an error quotes.
const quotedLines = 30

// trace follows the steps of a build.
type trace struct {
	progress func(string)
	steps    map[string]*step
	failed   *step
}

type step struct {
	name, problem string
	announced     bool
	output        []string
	partial       string
}

func newTrace(progress func(string)) *trace {
	return &trace{progress: progress, steps: map[string]*step{}}
}

// read takes in one BuildKit status message: base64 of a protobuf, in JSON.
func (t *trace) read(aux *json.RawMessage) error {
	var encoded []byte
	if err := json.Unmarshal(*aux, &encoded); err != nil {
		return fmt.Errorf("read build progress: %w", err)
	}
	var status control.StatusResponse
	if err := status.UnmarshalVT(encoded); err != nil {
		return fmt.Errorf("read build progress: %w", err)
	}
	for _, vertex := range status.Vertexes {
		t.update(vertex)
	}
	for _, log := range status.Logs {
		for _, line := range t.step(log.Vertex).write(string(log.Msg)) {
			t.progress("| " + line)
		}
	}
	return nil
}

func (t *trace) update(vertex *control.Vertex) {
	current := t.step(vertex.Digest)
	current.name = vertex.Name
	if vertex.Started != nil && !current.announced && !strings.HasPrefix(vertex.Name, "[internal]") {
		current.announced = true
		name := vertex.Name
		if vertex.Cached {
			name += " (cached)"
		}
		t.progress(name)
	}
	// Steps that ran beside the failing one end with this error too.
	if vertex.Error != "" && t.failed == nil && !strings.Contains(vertex.Error, "context canceled") {
		current.problem = vertex.Error
		t.failed = current
	}
}

func (t *trace) step(digest string) *step {
	if t.steps[digest] == nil {
		t.steps[digest] = &step{}
	}
	return t.steps[digest]
}

// write takes in output and returns the lines that are complete.
func (s *step) write(text string) []string {
	lines := strings.Split(s.partial+text, "\n")
	complete := lines[:len(lines)-1]
	s.partial = lines[len(lines)-1]
	s.output = append(s.output, complete...)
	s.output = s.output[max(0, len(s.output)-quotedLines):]
	return complete
}

// explain says which step a failed build failed at and what the step printed last.
func (t *trace) explain(err error) error {
	if t.failed == nil {
		return fmt.Errorf("build image: %w", err)
	}
	output := t.failed.output
	if t.failed.partial != "" {
		output = append(output, t.failed.partial)
	}
	problem := fmt.Errorf("build image: %s; the step was:\n  %s", t.failed.problem, t.failed.name)
	if len(output) == 0 {
		return problem
	}
	return fmt.Errorf("%w\nthe last lines of its output:\n  %s", problem, strings.Join(output, "\n  "))
}

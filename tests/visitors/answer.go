package visitors

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// errRestart is the end of a connection by a server that shuts down, as the API describes it.
var errRestart = errors.New("the server shuts down")

// cut is the end of a connection without a word.
type cut struct{ err error }

func (c *cut) Error() string { return "cut: " + c.err.Error() }

func (c *cut) Unwrap() error { return c.err }

// continuable tells whether another connection may go on where one ended with err.
func continuable(err error) bool {
	var without *cut
	return errors.Is(err, errRestart) || errors.As(err, &without)
}

// answer is one that comes in parts.
type answer struct {
	message string // its id, once that is known
	want    string
	text    string
	seq     int  // of the last event
	resumed bool // the next event is the first one after a resumption
}

// event is a part of an answer.
type event struct {
	Seq                       int
	Type, Text, Status, Error string
}

// take wants the next event, and tells whether it was the last one, with nothing missing. After a resumption an answer
// may begin again.
func (a *answer) take(e event) (ended bool, err error) {
	if a.resumed && e.Seq == 1 {
		a.seq, a.text = 0, ""
	}
	if e.Seq != a.seq+1 {
		return false, fmt.Errorf("event %d came after event %d", e.Seq, a.seq)
	}
	a.seq, a.text, a.resumed = e.Seq, a.text+e.Text, false
	switch {
	case e.Type != "end":
		return false, nil
	case e.Status != "completed":
		return false, fmt.Errorf("the answer %s is %s: %s", a.message, e.Status, e.Error)
	case a.text != a.want:
		return false, fmt.Errorf("the answer %s is %q, not %q", a.message, a.text, a.want)
	default:
		return true, nil
	}
}

// problem is what the API says of an error.
type problem struct {
	Type, Detail string
}

func (p problem) err() error {
	if p.Type == "urn:agentstack:problem:shutting_down" {
		return errRestart
	}
	return fmt.Errorf("error in place of an event: %s: %s", p.Type, p.Detail)
}

// read takes server-sent events up to the end of the answer.
func (a *answer) read(body io.Reader) error {
	lines := bufio.NewScanner(body)
	name, data := "", ""
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case key == "event":
			name = value
		case key == "data":
			data += value
		case key == "" && data != "":
			ended, err := a.takeNamed(name, []byte(data))
			if ended || err != nil {
				return err
			}
			name, data = "", ""
		}
	}
	return &cut{cmp.Or(lines.Err(), io.ErrUnexpectedEOF)}
}

func (a *answer) takeNamed(name string, data []byte) (ended bool, err error) {
	switch name {
	case "message":
		var begun struct {
			MessageID string `json:"message_id"`
		}
		err = json.Unmarshal(data, &begun)
		a.message = begun.MessageID
	case "error":
		var answered problem
		if err = json.Unmarshal(data, &answered); err == nil {
			err = answered.err()
		}
	default:
		var next event
		if err = json.Unmarshal(data, &next); err == nil {
			ended, err = a.take(next)
		}
	}
	return ended, err
}

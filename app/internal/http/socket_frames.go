package http

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"agentstack/app/agent"
	"agentstack/app/problem"
)

// The types of frames that clients send.
const (
	frameAsk    = "ask"
	frameResume = "resume"
	frameCancel = "cancel"
)

// The types of frames that the server sends.
const (
	frameMessage = "message"
	frameEvent   = "event"
	frameError   = "error"
)

// maxFrameID bounds a client's own id of a frame, which error and message frames repeat; in bytes.
const maxFrameID = 255

// errNotJSON ends a socket: whoever sends such a frame does not speak the protocol.
var errNotJSON = errors.New("the frame is not valid JSON")

// clientFrame is what a client sends.
type clientFrame struct {
	Type      string `json:"type"`
	ID        string `json:"id"`         // the client's own, repeated in the frames that answer this one
	SessionID string `json:"session_id"` // ask
	Content   string `json:"content"`    // ask
	MessageID string `json:"message_id"` // resume, cancel
	After     int    `json:"after"`      // resume: the last seq that the client has
}

// serverFrame is what the server sends.
type serverFrame struct {
	Type       string          `json:"type"`
	ID         string          `json:"id,omitempty"`
	QuestionID string          `json:"question_id,omitempty"`
	MessageID  string          `json:"message_id,omitempty"`
	Event      *agent.Event    `json:"event,omitempty"`
	Error      json.RawMessage `json:"error,omitempty"` // problem details
}

// parseFrame fails with errNotJSON, or with a problem that an error frame tells. Then the frame has the id that
// the client gave, if it can be known.
func parseFrame(data []byte) (clientFrame, error) {
	var frame clientFrame
	if !utf8.Valid(data) || !json.Valid(data) {
		return frame, errNotJSON
	}
	err := json.Unmarshal(data, &frame)
	if len(frame.ID) > maxFrameID {
		frame.ID = ""
		return frame, problem.InvalidField("id", fmt.Sprintf("The id is longer than %d bytes.", maxFrameID))
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return frame, problem.InvalidField(wrong.Field, "A frame is an object; the value has the wrong type.")
	}
	if err != nil {
		return frame, errNotJSON
	}
	return frame, frame.validate()
}

func (f clientFrame) validate() error {
	switch f.Type {
	case frameAsk:
		if f.SessionID == "" {
			return problem.InvalidField("session_id", "An ask needs the id of a session.")
		}
		if f.Content == "" {
			return problem.InvalidField("content", "An ask needs content.")
		}
	case frameResume, frameCancel:
		if f.MessageID == "" {
			return problem.InvalidField("message_id", "You must say which message.")
		}
		if f.After < 0 {
			return problem.InvalidField("after", "A seq is 0 or more.")
		}
	default:
		return problem.InvalidField("type", "The type must be ask, resume or cancel.")
	}
	return nil
}

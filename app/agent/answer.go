package agent

// Usage counts tokens as the model server reports them.
type Usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
}

// Answer is what is kept of a model's answer: the first choice's text and the accounting.
type Answer struct {
	Model        string `json:"model"` // as the model server names it; may be more precise than the request
	Text         string `json:"text"`
	FinishReason string `json:"finish_reason"`
	Usage        *Usage `json:"usage,omitempty"` // nil if the model server did not report it
}

// Completion is a whole answer: the model server's JSON, to be sent on unchanged, and what it says.
type Completion struct {
	Body   []byte `json:"body"`
	Answer Answer `json:"answer"`
}

// Chunk is a piece of a streamed answer.
type Chunk struct {
	Data []byte // the model server's JSON, to be sent on unchanged
	// Internal chunks serve our accounting only; the client did not ask for them.
	Internal bool
	Delta    Answer // what this piece adds
}

// add takes over what a chunk says besides its text.
func (a *Answer) add(delta Answer) {
	if delta.Model != "" {
		a.Model = delta.Model
	}
	if delta.FinishReason != "" {
		a.FinishReason = delta.FinishReason
	}
	if delta.Usage != nil {
		a.Usage = delta.Usage
	}
}

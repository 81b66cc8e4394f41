package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"agentstack/app/problem"
)

const (
	// defaultContext is that of models whose specification does not say, in tokens.
	defaultContext = 128_000
	// maxAnswerTokens bounds an answer, along with a quarter of the model's context.
	maxAnswerTokens = 4096
	// historyPage and historyLimit are numbers of messages: read at a time, and looked at for one question.
	historyPage  = 50
	historyLimit = 1000
)

const citeInstruction = "Use the following passages of the user's documents where they help. " +
	"Cite each passage that you use by its number in square brackets, as in [1]."

// prompt is what the model gets for a question.
type prompt struct {
	messages  []promptMessage
	citations []Citation // the passages in it
	maxTokens int        // of the answer
}

type promptMessage struct {
	Role    Role   `json:"role"`
	Content string `json:"content"`
}

const roleSystem Role = "system"

// estimateTokens is on the safe side: texts in the languages that models know have three bytes or more to a
// token, and a message adds a few for its role.
func estimateTokens(text string) int { return max(1, len(text)/3) + 4 }

// prompt fits system prompt, passages, history and question, in this order of precedence, with the question
// first, into the context of the model.
func (s *Sessions) prompt(
	ctx context.Context, tenant string, session *Session, agent *Agent, question string,
) (*prompt, error) {
	spec, ok := s.Catalog.Model(agent.Model)
	if !ok {
		return nil, unknownModel(agent.Model)
	}
	size := cmp.Or(spec.ContextTokens, defaultContext)
	p := &prompt{maxTokens: min(size/4, maxAnswerTokens)}
	system := agent.SystemPrompt
	left := size - p.maxTokens - estimateTokens(system) - estimateTokens(question)
	if left < 0 {
		return nil, problem.New(problem.Unprocessable, "context_exceeded", fmt.Sprintf(
			"The question and the agent's system prompt do not fit into the model's context of %d tokens.", size))
	}
	if agent.Retrieval {
		citations, err := s.retrieve(ctx, tenant, question)
		if err != nil {
			return nil, err
		}
		passages, offered := passages(citations, left)
		p.citations = offered
		left -= estimateTokens(passages)
		system = strings.TrimPrefix(system+passages, "\n\n")
	}
	history, err := s.history(ctx, tenant, session.ID, left)
	if err != nil {
		return nil, err
	}
	if system != "" {
		p.messages = append(p.messages, promptMessage{roleSystem, system})
	}
	p.messages = append(append(p.messages, history...), promptMessage{RoleUser, question})
	return p, nil
}

// retrieve fails rather than going on without passages: a wrong answer is worse than none.
func (s *Sessions) retrieve(ctx context.Context, tenant, question string) ([]Citation, error) {
	unavailable := &problem.Error{
		Kind: problem.Unavailable, Code: "retrieval_unavailable",
		Message: "The agent's documents cannot be searched now. Try again later.", RetryAfter: 5 * time.Second,
	}
	if s.Retriever == nil {
		return nil, unavailable
	}
	citations, err := s.Retriever.Retrieve(ctx, tenant, question)
	if err != nil {
		unavailable.Err = err
		return nil, unavailable
	}
	return citations, nil
}

// passages writes as many of the best passages as fit into limit tokens, and returns those.
func passages(citations []Citation, limit int) (string, []Citation) {
	text := "\n\n" + citeInstruction
	for i, citation := range citations {
		citations[i].Number = i + 1
		longer := fmt.Sprintf("%s\n\n[%d] %s\n%s", text, i+1, citation.Title, citation.Excerpt)
		if estimateTokens(longer) > limit {
			citations = citations[:i]
			break
		}
		text = longer
	}
	if len(citations) == 0 {
		return "", nil
	}
	return text, citations
}

// history returns the newest turns that fit into limit tokens, oldest first. Turns without any answer are
// left out as a whole, because many models refuse two questions in a row.
func (s *Sessions) history(ctx context.Context, tenant, sessionID string, limit int) ([]promptMessage, error) {
	var turns []promptMessage // newest first
	var answer string
	page := Page{Limit: historyPage}
	for range historyLimit / historyPage {
		messages, err := s.Store.Messages(ctx, tenant, sessionID, page)
		if err != nil {
			return nil, err
		}
		for _, message := range messages[:min(len(messages), page.Limit)] {
			page.Before = message.ID
			if message.Role == RoleAssistant {
				answer = message.Content
				continue
			}
			if answer == "" {
				continue
			}
			if limit -= estimateTokens(message.Content) + estimateTokens(answer); limit < 0 {
				return reversed(turns), nil
			}
			turns = append(turns, promptMessage{RoleAssistant, answer}, promptMessage{RoleUser, message.Content})
			answer = ""
		}
		if len(messages) <= page.Limit {
			break
		}
	}
	return reversed(turns), nil
}

func reversed(messages []promptMessage) []promptMessage {
	slices.Reverse(messages)
	return messages
}

// request writes the prompt as an OpenAI chat completion request.
func (p *prompt) request(tenant, id string, agent *Agent) (*ChatRequest, error) {
	type streamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	}
	body, err := json.Marshal(struct {
		Model         string          `json:"model"`
		Messages      []promptMessage `json:"messages"`
		Temperature   *float64        `json:"temperature,omitempty"`
		MaxTokens     int             `json:"max_completion_tokens"`
		Stream        bool            `json:"stream"`
		StreamOptions streamOptions   `json:"stream_options"`
	}{agent.Model, p.messages, agent.Temperature, p.maxTokens, true, streamOptions{true}})
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	return &ChatRequest{
		ID: id, TenantID: tenant, Model: agent.Model, Stream: true, IncludeUsage: true,
		MaxTokens: p.maxTokens, Body: body,
	}, nil
}

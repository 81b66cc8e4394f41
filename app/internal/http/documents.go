package http

import (
	"context"
	"net/http"
	"time"

	"agentstack/app/account"
	"agentstack/app/knowledge"
)

func (s *Server) registerDocuments() {
	const path, one = "/v1/documents", "/v1/documents/{id}"
	create := s.creation(path, "Put a document; then it is found", account.ScopeKnowledge)
	register(s, s.idempotent(create), s.createDocument)
	list := s.operation(http.MethodGet, path, "List documents, newest first", account.ScopeKnowledge)
	register(s, list, s.listDocuments)
	registerGet(s, one, "document", account.ScopeKnowledge, s.Knowledge.Document, toDocument)
	registerDelete(s, one, "document", account.ScopeKnowledge, s.Knowledge.Delete)
}

type newDocument struct {
	Title       string `json:"title" minLength:"1" maxLength:"500" example:"Handbook"`
	Content     string `json:"content" minLength:"1" maxLength:"10485760" doc:"At most 10 MiB."`
	ContentType string `json:"content_type,omitempty" enum:"text/plain,text/markdown" default:"text/plain"`
}

type documentBody struct {
	ID          string    `json:"id" format:"uuid"`
	Title       string    `json:"title"`
	ContentType string    `json:"content_type" enum:"text/plain,text/markdown"`
	Content     string    `json:"content,omitempty" doc:"Not part of lists, nor of the answer to its own creation."`
	Bytes       int       `json:"bytes" doc:"Size of the content."`
	Chunks      int       `json:"chunks" doc:"Passages that search finds as a whole."`
	CreatedAt   time.Time `json:"created_at"`
}

func toDocument(d *knowledge.Document) documentBody {
	return documentBody{
		ID:          d.ID,
		Title:       d.Title,
		ContentType: string(d.ContentType),
		Content:     d.Content,
		Bytes:       d.Bytes,
		Chunks:      d.Chunks,
		CreatedAt:   stamp(d.CreatedAt),
	}
}

func (s *Server) createDocument(ctx context.Context, in *input[newDocument]) (*output[documentBody], error) {
	var created *knowledge.Document
	err := s.embedding(ctx, in.Body.Content, func() (err error) {
		created, err = s.Knowledge.Put(ctx, principal(ctx).TenantID,
			in.Body.Title, knowledge.ContentType(in.Body.ContentType), in.Body.Content)
		return err
	})
	if err != nil {
		return nil, err
	}
	body := toDocument(created)
	body.Content = "" // the client has just sent it
	return &output[documentBody]{body}, nil
}

func (s *Server) listDocuments(ctx context.Context, in *PageInput) (*output[listBody[documentBody]], error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	documents, err := s.Knowledge.Documents(ctx, principal(ctx).TenantID, page.Limit+1, page.Before)
	if err != nil {
		return nil, err
	}
	list := newList(documents, page, func(d *knowledge.Document) string { return d.ID }, toDocument)
	return &output[listBody[documentBody]]{list}, nil
}

// embedding takes what a text costs to embed from the budget, unless the work fails. Nobody counts it exactly.
func (s *Server) embedding(ctx context.Context, text string, work func() error) error {
	estimate := int64(len(text)) / bytesPerToken
	settle, err := s.Accounts.Admit(ctx, principal(ctx), estimate)
	if err != nil {
		return err
	}
	if err := work(); err != nil {
		settle(0)
		return err
	}
	settle(estimate)
	return nil
}

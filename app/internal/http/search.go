package http

import (
	"context"
	"net/http"

	"agentstack/app/account"
	"agentstack/app/knowledge"
)

func (s *Server) registerSearch() {
	operation := s.operation(http.MethodPost, "/v1/search", "Search the documents", account.ScopeKnowledge)
	register(s, s.idempotent(operation), s.search)
}

type searchBody struct {
	Query string `json:"query" minLength:"1" maxLength:"8192" example:"How many days off do I have?"`
	Mode  string `json:"mode,omitempty" enum:"hybrid,vector,text" default:"hybrid" doc:"text knows quotes, or and -."`
	Limit int    `json:"limit,omitempty" minimum:"1" maximum:"50" default:"10"`
}

type hitBody struct {
	DocumentID string  `json:"document_id" format:"uuid"`
	ChunkID    string  `json:"chunk_id" format:"uuid"`
	Title      string  `json:"title" doc:"Of the document."`
	Heading    string  `json:"heading,omitempty" doc:"Path of Markdown headings, as in Install > Debian."`
	Text       string  `json:"text"`
	Ordinal    int     `json:"ordinal" doc:"Place of the passage in its document, from 0."`
	Score      float64 `json:"score" doc:"Higher is better; comparable within one answer only."`
}

type hitList struct {
	Data []hitBody `json:"data" nullable:"false" doc:"Best first."`
}

func toHit(h knowledge.Hit) hitBody {
	return hitBody{
		DocumentID: h.DocumentID,
		ChunkID:    h.ChunkID,
		Title:      h.Title,
		Heading:    h.Heading,
		Text:       h.Text,
		Ordinal:    h.Ordinal,
		Score:      h.Score,
	}
}

func (s *Server) search(ctx context.Context, in *input[searchBody]) (*output[hitList], error) {
	var hits []knowledge.Hit
	err := s.embedding(ctx, in.Body.Query, func() (err error) {
		hits, err = s.Knowledge.Search(ctx, principal(ctx).TenantID,
			in.Body.Query, knowledge.Mode(in.Body.Mode), in.Body.Limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	list := hitList{Data: make([]hitBody, 0, len(hits))}
	for _, hit := range hits {
		list.Data = append(list.Data, toHit(hit))
	}
	return &output[hitList]{list}, nil
}

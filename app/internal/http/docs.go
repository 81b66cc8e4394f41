package http

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/swaggest/swgui/v5/static"
)

// docsPolicy lets the page load from here only. Swagger UI has its icons as data: URLs.
const docsPolicy = "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; " +
	"frame-ancestors 'none'; object-src 'none'"

//go:embed docs
var docs embed.FS

// registerDocs adds the description and a page to read and try it.
func (s *Server) registerDocs() {
	description := sync.OnceValues(func() ([]byte, error) { return json.Marshal(s.api.OpenAPI()) })
	s.mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, r *http.Request) {
		body, err := description()
		if err != nil {
			refuse(w, r, fmt.Errorf("describe the API: %w", err))
			return
		}
		writeBytes(w, http.StatusOK, jsonMediaType, body)
	})
	s.mux.HandleFunc("GET /docs", s.docsFile)
	s.mux.HandleFunc("GET /docs/{file...}", s.docsFile)
}

// docsFile serves our own files, then those of Swagger UI, which are compressed.
func (s *Server) docsFile(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	if name == "" {
		name = "index.html"
	}
	header := w.Header()
	header.Set("Content-Security-Policy", docsPolicy)
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-cache")
	mediaType := mime.TypeByExtension(path.Ext(name))
	if body, err := docs.ReadFile("docs/" + name); err == nil {
		writeBytes(w, http.StatusOK, mediaType, body)
		return
	}
	if body, err := static.FS.ReadFile(name); err == nil {
		writeBytes(w, http.StatusOK, mediaType, body)
		return
	}
	body, err := static.FS.ReadFile(name + ".gz")
	if err != nil {
		writeProblem(w, r, newProblem(http.StatusNotFound, "not_found", "There is nothing here."))
		return
	}
	header.Set("Vary", "Accept-Encoding")
	if acceptsGzip(r) {
		header.Set("Content-Encoding", "gzip")
	} else if body, err = gunzip(body); err != nil {
		refuse(w, r, err)
		return
	}
	writeBytes(w, http.StatusOK, mediaType, body)
}

func acceptsGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, quality, _ := strings.Cut(strings.ReplaceAll(coding, " ", ""), ";")
		if strings.EqualFold(name, "gzip") {
			return strings.Trim(strings.TrimPrefix(quality, "q="), "0.") != "" || quality == ""
		}
	}
	return false
}

func gunzip(body []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	return io.ReadAll(reader)
}

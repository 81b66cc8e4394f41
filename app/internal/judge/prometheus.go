package judge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

const (
	// queryTimeout bounds a query, so that a Prometheus that hangs is asked again within the window.
	queryTimeout = 10 * time.Second
	// maxAnswer in bytes is more than any of the judge's queries is answered with.
	maxAnswer = 16 << 20
)

// errQuery says that Prometheus will never answer a query: it did not understand it.
var errQuery = errors.New("prometheus refuses a query")

// prometheus asks the server at a URL.
type prometheus struct{ url string }

// query evaluates an expression whose value is a vector; at is the time of that, or zero for the server's own.
func (p prometheus) query(ctx context.Context, expression string, at model.Time) (model.Vector, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	form := url.Values{"query": {expression}}
	if at != 0 {
		form.Set("time", at.String())
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/api/v1/query",
		strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("ask Prometheus: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask Prometheus: %w", err)
	}
	defer response.Body.Close()
	return decode(response, expression)
}

func decode(response *http.Response, expression string) (model.Vector, error) {
	var answer struct {
		Status, ErrorType, Error string
		Data                     struct{ Result model.Vector }
	}
	err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&answer)
	switch {
	case err == nil && answer.ErrorType == "bad_data":
		return nil, fmt.Errorf("%w: %s: %s", errQuery, answer.Error, expression)
	case response.StatusCode != http.StatusOK || err == nil && answer.Status != "success":
		return nil, fmt.Errorf("ask Prometheus: %s at %s %s", response.Status, response.Request.URL, answer.Error)
	case err != nil:
		return nil, fmt.Errorf("ask Prometheus: read answer: %w", err)
	}
	return answer.Data.Result, nil
}

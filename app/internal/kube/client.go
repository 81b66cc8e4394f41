// Package kube calls the API of Kubernetes with the service account of the pod that it runs in.
package kube

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// timeout bounds a call.
const timeout = 5 * time.Second

// Content types of a body: an object, or what is to be changed of one.
// https://datatracker.ietf.org/doc/html/rfc7386
const (
	JSON       = "application/json"
	MergePatch = "application/merge-patch+json"
)

// Client calls the API in the name of a service account.
type Client struct {
	// Namespace is that of the service account.
	Namespace string

	client    http.Client
	server    string // a URL
	tokenFile string
}

// NewClient returns a client for the API's server, a URL. Account is the folder with the files of the service account.
// The error has everything that is wrong with that folder.
func NewClient(server, account string) (*Client, error) {
	authorities := x509.NewCertPool()
	file := filepath.Join(account, "ca.crt")
	certificates, err := os.ReadFile(file)
	if err == nil && !authorities.AppendCertsFromPEM(certificates) {
		err = fmt.Errorf("%s has no certificate", file)
	}
	namespace, namespaceErr := os.ReadFile(filepath.Join(account, "namespace"))
	c := &Client{
		Namespace: strings.TrimSpace(string(namespace)),
		client: http.Client{
			Timeout:   timeout,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities}},
		},
		server:    server,
		tokenFile: filepath.Join(account, "token"),
	}
	_, tokenErr := c.token()
	return c, errors.Join(err, namespaceErr, tokenErr)
}

// StatusError is an answer of the API that is not a success.
type StatusError struct {
	Code    int
	Message string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%d %s: %s", e.Code, http.StatusText(e.Code), e.Message)
}

// HasStatus says whether an error is an answer of the API with one of the codes.
func HasStatus(err error, codes ...int) bool {
	var refusal *StatusError
	return errors.As(err, &refusal) && slices.Contains(codes, refusal.Code)
}

// Call sends a body, nil for none, and decodes the answer. The path begins with a slash.
func (c *Client) Call(ctx context.Context, method, path, contentType string, body, answer any) error {
	content, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.server+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	token, err := c.token()
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept", JSON)
	request.Header.Set("Content-Type", contentType)
	response, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		status := struct{ Message string }{"no message"}
		_ = json.NewDecoder(response.Body).Decode(&status) // the code says enough when a proxy answers
		return &StatusError{response.StatusCode, status.Message}
	}
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	return nil
}

// token is read for each call, since the kubelet renews it.
func (c *Client) token() (string, error) {
	content, err := os.ReadFile(c.tokenFile)
	return strings.TrimSpace(string(content)), err
}

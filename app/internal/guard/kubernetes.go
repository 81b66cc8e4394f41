package guard

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// apiTimeout bounds a call of the Kubernetes API.
const apiTimeout = 5 * time.Second

// gracePeriod in seconds is that of the deletion. A primary that cannot write cannot shut down in order either. It must
// not be 0: then the API forgets the pod while its processes may still run, and there could be two primaries.
const gracePeriod = 1

// The operator labels the primary so, and the Service for writers selects it by that.
// https://cloudnative-pg.io/documentation/1.28/labels_annotations/#predefined-labels
const (
	labelRole   = "cnpg.io/instanceRole"
	rolePrimary = "primary"
)

// Pods are the pods of a selector in the namespace of a service account.
type Pods struct {
	client    http.Client
	url       string // of the namespace's pods
	selector  string
	tokenFile string
}

// NewPods returns the pods of a label selector. The API's server is a URL; account is the folder with the files of the
// service account. The error has everything that is wrong with that folder.
func NewPods(server, account, selector string) (*Pods, error) {
	authorities := x509.NewCertPool()
	file := filepath.Join(account, "ca.crt")
	certificates, err := os.ReadFile(file)
	if err == nil && !authorities.AppendCertsFromPEM(certificates) {
		err = fmt.Errorf("%s has no certificate", file)
	}
	namespace, namespaceErr := os.ReadFile(filepath.Join(account, "namespace"))
	p := &Pods{
		client: http.Client{
			Timeout:   apiTimeout,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities}},
		},
		url:       server + "/api/v1/namespaces/" + strings.TrimSpace(string(namespace)) + "/pods",
		selector:  selector,
		tokenFile: filepath.Join(account, "token"),
	}
	_, tokenErr := p.token()
	return p, errors.Join(err, namespaceErr, tokenErr)
}

// pod has what the guard reads of a pod.
type pod struct {
	Metadata struct {
		Name, UID         string
		Labels            map[string]string
		DeletionTimestamp *time.Time
	}
	Status struct {
		Phase      string
		PodIP      netip.Addr
		Conditions []struct{ Type, Status string }
	}
}

func (p pod) instance() Instance {
	i := Instance{
		Name: p.Metadata.Name, UID: p.Metadata.UID, Address: p.Status.PodIP,
		Primary: p.Metadata.Labels[labelRole] == rolePrimary && p.Status.Phase == "Running",
	}
	for _, c := range p.Status.Conditions {
		if c.Type == "Ready" {
			i.Available = c.Status == "True" && p.Metadata.DeletionTimestamp == nil
		}
	}
	return i
}

// List implements Instances.
func (p *Pods) List(ctx context.Context) ([]Instance, error) {
	var list struct{ Items []pod }
	query := url.Values{"labelSelector": {p.selector}}
	if err := p.call(ctx, http.MethodGet, p.url+"?"+query.Encode(), nil, &list); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	var instances []Instance
	for _, item := range list.Items {
		instances = append(instances, item.instance())
	}
	return instances, nil
}

// Delete implements Instances.
func (p *Pods) Delete(ctx context.Context, instance Instance) (bool, error) {
	options := map[string]any{
		"apiVersion": "v1", "kind": "DeleteOptions",
		"gracePeriodSeconds": gracePeriod,
		"preconditions":      map[string]string{"uid": instance.UID},
	}
	var answer struct{}
	err := p.call(ctx, http.MethodDelete, p.url+"/"+instance.Name, options, &answer)
	var refusal *statusError
	if errors.As(err, &refusal) && (refusal.code == http.StatusNotFound || refusal.code == http.StatusConflict) {
		return false, nil // the pod is gone; after a conflict another one has its name
	}
	if err != nil {
		return false, fmt.Errorf("delete pod %s: %w", instance.Name, err)
	}
	return true, nil
}

// statusError is an answer of the API that is not a success.
type statusError struct {
	code    int
	message string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%d %s: %s", e.code, http.StatusText(e.code), e.message)
}

func (p *Pods) call(ctx context.Context, method, url string, body, answer any) error {
	content, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(content))
	if err != nil {
		return err
	}
	token, err := p.token()
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Content-Type", "application/json")
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		status := struct{ Message string }{"no message"}
		_ = json.NewDecoder(response.Body).Decode(&status) // the code says enough when a proxy answers
		return &statusError{response.StatusCode, status.Message}
	}
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	return nil
}

// token is read for each call, since the kubelet renews it.
func (p *Pods) token() (string, error) {
	content, err := os.ReadFile(p.tokenFile)
	return strings.TrimSpace(string(content)), err
}

package provider

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
)

func TestImageLifecycle(t *testing.T) {
	m := theMachine(t)
	e := configured(t, properties{"host": m.docker})
	folder := m.project(t, "ARG VERSION\nLABEL version=$VERSION\nCOPY . /src\nRUN [\"/probe\", \"ok\"]\n")
	write(t, folder, map[string]string{"data": "one", "noise.log": "one"})
	inputs := properties{
		"imageName": m.open + "/team/api:1",
		"build": properties{
			"context": folder, "dockerfile": filepath.Join(folder, "Dockerfile"), "network": "host",
			"args": properties{"VERSION": "1.2"},
		},
	}

	preview := e.create(inputs, true)
	if !preview["repoDigest"].IsComputed() || strings.Contains(e.screen.text(), "building") {
		t.Fatalf("a preview built: repoDigest is %v, shown %q", preview["repoDigest"], e.screen.text())
	}
	state := e.create(inputs, false)
	digest := state["repoDigest"].StringValue()
	if !strings.HasPrefix(digest, m.open+"/team/api@sha256:") {
		t.Fatalf("repoDigest is %q", digest)
	}
	for output, want := range map[resource.PropertyKey]string{
		"imageName": m.open + "/team/api:1", "baseImageName": m.open + "/team/api:1", "dockerfile": "Dockerfile",
		"context": folder, "platform": "linux/amd64", "registryServer": "",
	} {
		if state[output].StringValue() != want {
			t.Errorf("%s is %v, want %q", output, state[output], want)
		}
	}
	ref, err := name.ParseReference(digest, name.Insecure)
	must(t, err)
	pushed, err := remote.Image(ref)
	must(t, err)
	config, err := pushed.ConfigFile()
	must(t, err)
	if config.Config.Labels["version"] != "1.2" {
		t.Errorf("labels of the pushed image are %v, want the build argument", config.Config.Labels)
	}

	if changes := e.diff(state, inputs); len(changes) > 0 {
		t.Errorf("nothing changed, but the diff is %v", changes)
	}
	write(t, folder, map[string]string{"noise.log": "two"})
	if changes := e.diff(state, inputs); len(changes) > 0 {
		t.Errorf("an ignored file changed, but the diff is %v", changes)
	}
	write(t, folder, map[string]string{"data": "two"})
	if changes := e.diff(state, inputs); !slices.Equal(changes, []string{"build.contextDigest"}) {
		t.Errorf("a file changed, but the diff is %v", changes)
	}
	olds, err := marshal(state)
	must(t, err)
	updated, err := e.Update(t.Context(), &pulumirpc.UpdateRequest{Urn: urn, Olds: olds, News: e.check(inputs)})
	must(t, err)
	if again := unpacked(t, updated.Properties)["repoDigest"].StringValue(); again == digest || again == "" {
		t.Errorf("the digest of another content is %q, before %q", again, digest)
	}

	_, err = e.Delete(t.Context(), &pulumirpc.DeleteRequest{Urn: urn, Properties: updated.Properties})
	must(t, err)
	if _, err := remote.Head(ref); err != nil {
		t.Errorf("delete took the image away: %v", err)
	}
}

func TestFailedStepIsQuoted(t *testing.T) {
	m := theMachine(t)
	e := configured(t, properties{"host": m.docker})
	folder := m.project(t, "ARG TOKEN\nRUN [\"/probe\", \"fail\", \"main.go\"]\n")
	token := resource.MakeSecret(resource.NewStringProperty("hunter22\nsecond-line"))
	message := e.failure(properties{
		"imageName": m.open + "/team/broken:1",
		"build": properties{
			"context": folder, "dockerfile": filepath.Join(folder, "Dockerfile"), "network": "host",
			"args": properties{"TOKEN": token},
		},
	})
	for _, want := range []string{
		`RUN ["/probe", "fail", "main.go"]`, "compiling main.go", "syntax error in line 7", "exit code: 3",
	} {
		if !strings.Contains(message, want) {
			t.Errorf("the error does not mention %s:\n%s", want, message)
		}
	}
	if !strings.Contains(e.screen.text(), "| compiling main.go") {
		t.Errorf("the step's output is not shown:\n%s", e.screen.text())
	}
	shown := message + e.screen.text()
	if strings.Contains(shown, "hunter22") || strings.Contains(shown, "second-line") {
		t.Errorf("a secret build argument is shown:\n%s", shown)
	}
}

func TestSkipPush(t *testing.T) {
	m := theMachine(t)
	e := configured(t, properties{"host": m.docker})
	folder := m.project(t, "")
	inputs := properties{
		"imageName": "local-only:1", "skipPush": true, "buildOnPreview": true,
		"build": properties{"context": folder},
	}
	built := e.create(inputs, true)["repoDigest"]
	if !built.IsString() || !strings.HasPrefix(built.StringValue(), "sha256:") {
		t.Fatalf("a preview that builds gives repoDigest %v, want the image ID", built)
	}
	if again := e.create(inputs, false)["repoDigest"]; again.StringValue() != built.StringValue() {
		t.Errorf("the same context gives %v, the preview gave %v", again, built)
	}
}

func TestRegistryLogin(t *testing.T) {
	m := theMachine(t)
	folder := m.project(t, "")
	image := m.closed + "/team/api:1"
	build := properties{"context": folder}
	login := func(word string) properties {
		return properties{"username": user, "password": word, "server": m.closed}
	}
	logins := `[{"address":"` + m.closed + `","username":"` + user + `","password":"` + password + `"}]`
	t.Setenv("DOCKER_CONFIG", t.TempDir())

	e := configured(t, properties{"host": m.docker})
	state := e.create(properties{"imageName": image, "build": build, "registry": login(password)}, false)
	if state["registryServer"].StringValue() != m.closed {
		t.Errorf("registryServer is %v", state["registryServer"])
	}
	if !state[inputsKey].IsSecret() {
		t.Error("the inputs are not secret in the state")
	}
	delete(state, inputsKey)
	if text := object(state).String(); strings.Contains(text, password) {
		t.Errorf("the password is in the clear part of the state: %s", text)
	}
	refused := e.failure(properties{"imageName": image, "build": build, "registry": login("wrong-password")})
	if !strings.Contains(refused, "push "+image) || strings.Contains(refused, "wrong-password") {
		t.Errorf("a wrong password gives %q", refused)
	}
	shown := e.screen.text()
	if strings.Contains(shown, password) || strings.Contains(shown, "wrong-password") {
		t.Errorf("a password is shown:\n%s", shown)
	}

	e.failure(properties{"imageName": image, "build": build})
	e = configured(t, properties{"host": m.docker, "registryAuth": logins})
	e.create(properties{"imageName": image, "build": build}, false)
}

func TestCancelEndsABuild(t *testing.T) {
	m := theMachine(t)
	e := configured(t, properties{"host": m.docker})
	folder := m.project(t, "RUN [\"/probe\", \"wait\"]\n")
	inputs := e.check(properties{
		"imageName": m.open + "/team/slow:1", "build": properties{"context": folder, "network": "host"},
	})
	ended := make(chan error, 1)
	go func() {
		_, err := e.Create(t.Context(), &pulumirpc.CreateRequest{Urn: urn, Properties: inputs})
		ended <- err
	}()
	deadline := time.After(time.Minute)
	for waiting := false; !waiting; {
		select {
		case line := <-e.screen.told:
			waiting = strings.Contains(line, "/probe") && strings.Contains(line, "wait")
		case err := <-ended:
			t.Fatalf("the build ended by itself: %v", err)
		case <-deadline:
			t.Fatalf("the waiting step never started; shown:\n%s", e.screen.text())
		}
	}
	_, err := e.Cancel(t.Context(), &emptypb.Empty{})
	must(t, err)
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a canceled build succeeded")
		}
	case <-deadline:
		t.Error("a canceled build goes on")
	}
}

func TestDaemonUnreachable(t *testing.T) {
	host := "unix://" + filepath.Join(t.TempDir(), "none.sock")
	e := configured(t, properties{"host": host})
	folder := write(t, "", map[string]string{"Dockerfile": "FROM scratch\n"})
	message := e.failure(properties{"imageName": "registry.test/api:1", "build": properties{"context": folder}})
	helps := strings.Contains(message, host) && strings.Contains(message, "DOCKER_HOST")
	if !helps || strings.Contains(message, "\n") {
		t.Errorf("the error is not one line that says what to do: %q", message)
	}
}

func TestRegistryUnreachable(t *testing.T) {
	m := theMachine(t)
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	e := configured(t, properties{"host": m.docker})
	folder := m.project(t, "")
	image := strings.TrimPrefix(server.URL, "http://") + "/team/api:1"
	message := e.failure(properties{"imageName": image, "build": properties{"context": folder}})
	if !strings.Contains(message, "push "+image) {
		t.Errorf("the error does not say what was pushed: %q", message)
	}
}

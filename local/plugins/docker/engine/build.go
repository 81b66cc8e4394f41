package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"

	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/pkg/jsonmessage"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth/authprovider"
	"github.com/moby/buildkit/session/filesync"
	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"
)

// Request is one build.
type Request struct {
	// Image is the name and tag that the result gets in the daemon.
	Image string
	// Context and Dockerfile are paths relative to the working directory, or absolute.
	Context, Dockerfile       string
	Target, Platform, Network string
	Args                      map[string]string
	AddHosts, CacheFrom       []string
}

// Build builds the image and returns its ID in the daemon. Progress is told each step as it starts. The
// error of a failed step quotes the step and the last lines of its output.
func (e *Engine) Build(ctx context.Context, request Request, auth Auth, progress func(string)) (
	string, error,
) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	files, err := contextFiles(request)
	if err != nil {
		return "", err
	}
	// The key lets BuildKit send only what changed since the last build of this context.
	key, err := filepath.Abs(request.Context)
	if err != nil {
		return "", fmt.Errorf("resolve build context: %w", err)
	}
	attached, err := session.NewSession(ctx, key)
	if err != nil {
		return "", fmt.Errorf("start build session: %w", err)
	}
	attached.Allow(files)
	attached.Allow(authprovider.NewDockerAuthProvider(authprovider.DockerAuthProviderConfig{
		AuthConfigProvider: auth.forSession(),
	}))
	sessionEnded := make(chan error, 1)
	go func() {
		err := attached.Run(ctx, e.dialSession)
		if err != nil {
			cancel() // without a session the build would wait for its context for ever
		}
		sessionEnded <- err
	}()

	id, buildErr := e.run(ctx, request, attached.ID(), progress)
	attached.Close()
	if err := <-sessionEnded; err != nil && buildErr != nil && errors.Is(buildErr, context.Canceled) {
		return "", errors.Join(buildErr, fmt.Errorf("serve build session: %w", err))
	}
	return id, buildErr
}

func (e *Engine) dialSession(ctx context.Context, proto string, meta map[string][]string) (net.Conn, error) {
	return e.api.DialHijack(ctx, "/session", proto, meta)
}

func (e *Engine) run(ctx context.Context, request Request, sessionID string, progress func(string)) (
	string, error,
) {
	args := map[string]*string{}
	for name, value := range request.Args {
		args[name] = &value
	}
	response, err := e.api.ImageBuild(ctx, nil, build.ImageBuildOptions{
		Version:       build.BuilderBuildKit,
		RemoteContext: "client-session",
		SessionID:     sessionID,
		Dockerfile:    filepath.Base(request.Dockerfile),
		Tags:          []string{request.Image},
		Target:        request.Target,
		Platform:      request.Platform,
		NetworkMode:   request.Network,
		BuildArgs:     args,
		ExtraHosts:    request.AddHosts,
		CacheFrom:     request.CacheFrom,
	})
	if err != nil {
		return "", fmt.Errorf("start build: %w", err)
	}
	defer response.Body.Close()
	trace := newTrace(progress)
	id := ""
	err = readMessages(response.Body, func(message jsonmessage.JSONMessage) error {
		switch message.ID {
		case "moby.buildkit.trace":
			return trace.read(message.Aux)
		case "moby.image.id":
			var result build.Result
			if err := json.Unmarshal(*message.Aux, &result); err != nil {
				return fmt.Errorf("read build result: %w", err)
			}
			id = result.ID
		}
		return nil
	})
	if err != nil {
		return "", trace.explain(err)
	}
	if id == "" {
		return "", errors.New("the daemon ended the build without an image")
	}
	return id, nil
}

// contextFiles serves the context and the Dockerfile's folder. The daemon applies .dockerignore. Everything
// belongs to root in the build, whoever owns it here.
func contextFiles(request Request) (session.Attachable, error) {
	toRoot := func(_ string, stat *types.Stat) fsutil.MapResult {
		stat.Uid, stat.Gid = 0, 0
		return fsutil.MapResultKeep
	}
	directories := filesync.StaticDirSource{}
	folders := map[string]string{"context": request.Context, "dockerfile": filepath.Dir(request.Dockerfile)}
	for name, folder := range folders {
		files, err := fsutil.NewFS(folder)
		if err != nil {
			return nil, fmt.Errorf("open build context: %w", err)
		}
		if directories[name], err = fsutil.NewFilterFS(files, &fsutil.FilterOpt{Map: toRoot}); err != nil {
			return nil, fmt.Errorf("open build context: %w", err)
		}
	}
	return filesync.NewFSSyncProvider(directories), nil
}

// readMessages hands on each message of a stream until the first that is an error.
func readMessages(stream io.Reader, handle func(jsonmessage.JSONMessage) error) error {
	for decoder := json.NewDecoder(stream); ; {
		var message jsonmessage.JSONMessage
		if err := decoder.Decode(&message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the daemon's answer: %w", err)
		}
		if message.Error != nil {
			return errors.New(message.Error.Message)
		}
		if err := handle(message); err != nil {
			return err
		}
	}
}

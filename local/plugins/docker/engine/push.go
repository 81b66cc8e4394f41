package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/pkg/jsonmessage"
)

// Push sends an image of the daemon to its registry and returns the reference that pins what was pushed:
// repository@sha256:....
func (e *Engine) Push(ctx context.Context, name string, auth Auth, progress func(string)) (string, error) {
	header, err := auth.header(name)
	if err != nil {
		return "", err
	}
	stream, err := e.api.ImagePush(ctx, name, image.PushOptions{RegistryAuth: header})
	if err != nil {
		return "", fmt.Errorf("push %s: %w", name, err)
	}
	defer stream.Close()
	digest := ""
	err = readMessages(stream, func(message jsonmessage.JSONMessage) error {
		if message.Aux != nil {
			var result struct{ Digest string }
			if err := json.Unmarshal(*message.Aux, &result); err != nil {
				return fmt.Errorf("read push result: %w", err)
			}
			digest = result.Digest
		} else if message.Progress == nil && message.Status != "" {
			progress("push: " + joined(message.ID, message.Status))
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("push %s: %w", name, err)
	}
	if digest == "" {
		return "", fmt.Errorf("push %s: %w", name, errors.New("the daemon reported no digest"))
	}
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return "", fmt.Errorf("push %s: %w", name, err)
	}
	return reference.FamiliarName(named) + "@" + digest, nil
}

func joined(id, status string) string {
	if id == "" {
		return status
	}
	return id + " " + status
}

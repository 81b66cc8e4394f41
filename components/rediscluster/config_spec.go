package rediscluster

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"

	"agentstack/internal/kube"
)

//go:embed scripts/*.sh scripts/redis.conf
var scripts embed.FS

// scriptFiles returns the content of each file under scripts by its name.
func scriptFiles() (map[string]string, error) {
	entries, err := scripts.ReadDir("scripts")
	if err != nil {
		return nil, fmt.Errorf("list scripts: %w", err)
	}
	files := map[string]string{}
	for _, entry := range entries {
		content, err := scripts.ReadFile("scripts/" + entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read script: %w", err)
		}
		files[entry.Name()] = string(content)
	}
	return files, nil
}

func configMap(args Args, files map[string]string) *corev1.ConfigMapArgs {
	return &corev1.ConfigMapArgs{
		Metadata: args.metadata(Name).Args(),
		Data:     kube.StringMap(files),
	}
}

// checksum identifies the content of files. In the pod template it makes a changed script restart the pods.
func checksum(files map[string]string) string {
	encoded, err := json.Marshal(files)
	if err != nil {
		panic(fmt.Sprintf("encode a map of strings: %v", err))
	}
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:])
}

package hapostgres

import (
	_ "embed" // the queries
	"strings"
	"text/template"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"

	"agentstack/internal/kube"
)

// queriesKey is the key of the ConfigMap with the queries.
const queriesKey = "queries.yaml"

//go:embed queries.yaml.tmpl
var queriesText string

var queriesTemplate = template.Must(template.New(queriesKey).Parse(queriesText))

func (a Args) metricsName() string { return a.Name + "-metrics" }

// queries returns the queries of the exporter.
func queries(args Args) (string, error) {
	var text strings.Builder
	err := queriesTemplate.Execute(&text, map[string]any{"Wanted": args.SynchronousReplicas, "Database": Database})
	return text.String(), err
}

// metricsConfigMap makes the operator run changed queries at once, as the label of a changed Secret does.
func metricsConfigMap(args Args) (*corev1.ConfigMapArgs, error) {
	text, err := queries(args)
	if err != nil {
		return nil, err
	}
	meta := args.metadata(args.metricsName())
	meta.Labels[labelReload] = "true"
	return &corev1.ConfigMapArgs{
		Metadata: meta.Args(),
		Data:     kube.StringMap(map[string]string{queriesKey: text}),
	}, nil
}

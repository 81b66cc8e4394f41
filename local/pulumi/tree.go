package pulumi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// planned is one resource of a preview.
type planned struct {
	urn, parent resource.URN
	op          string
}

// readEvents reads the resources of the engine's event log. A preview that failed early has none.
func readEvents(path string) ([]planned, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open event log: %w", err)
	}
	defer func() { _ = file.Close() }()
	var resources []planned
	for decoder := json.NewDecoder(file); ; {
		var event apitype.EngineEvent
		if err := decoder.Decode(&event); errors.Is(err, io.EOF) {
			return resources, nil
		} else if err != nil {
			return nil, fmt.Errorf("read event log: %w", err)
		}
		if event.ResourcePreEvent == nil || event.ResourcePreEvent.Metadata.New == nil {
			continue
		}
		step := event.ResourcePreEvent.Metadata
		resources = append(resources, planned{
			urn: resource.URN(step.URN), parent: resource.URN(step.New.Parent), op: string(step.Op),
		})
	}
}

// render draws the resources as Pulumi draws them on a terminal: each below its parent.
func render(resources []planned) string {
	if len(resources) == 0 {
		return ""
	}
	children := map[resource.URN][]planned{}
	for _, r := range resources {
		children[r.parent] = append(children[r.parent], r)
	}
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(table, "Type\tName\tPlan\n")
	draw(table, children, "", "")
	_ = table.Flush()
	return text.String()
}

// draw writes the children of a resource, each with what leads its line.
func draw(out io.Writer, children map[resource.URN][]planned, parent resource.URN, indent string) {
	below := children[parent]
	slices.SortFunc(below, func(a, b planned) int { return strings.Compare(string(a.urn), string(b.urn)) })
	for i, r := range below {
		branch, trunk := "├─ ", "│  "
		switch {
		case parent == "":
			branch, trunk = "", ""
		case i == len(below)-1:
			branch, trunk = "└─ ", "   "
		}
		_, _ = fmt.Fprintf(out, "%s%s\t%s\t%s\n", indent+branch, r.urn.Type().DisplayName(), r.urn.Name(), r.op)
		draw(out, children, r.urn, indent+trunk)
	}
}

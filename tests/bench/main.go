// Command bench measures what the program costs: `pulumi preview` of the production stack in 1, 2, 5 and 10 regions,
// through the real CLI and engine with the plugins of the local cloud, and beside it a flat program that registers the
// same resources without components. Run it in the project's folder, as root, by `make bench-program`.
//
// It fails when a preview takes more than 1.2 times as long as that of the flat program, or when the program grows
// worse than linearly: when a further resource between 5 and 10 regions costs more than 1.2 times the CPU time of one
// between 1 and 5. Each number is the median of several runs. The CPU time of the program alone is shown and not
// judged: typed arguments are turned into plain ones by reflection, which the flat program is spared.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"
)

const (
	runs      = 3   // of which the median counts
	maxRatio  = 1.2 // of the program to the flat one
	maxGrowth = 1.2 // of the cost of a further resource in many regions to that in few
)

var regionCounts = []int{1, 2, 5, 10}

// row is what one number of regions costs.
type row struct {
	regions, resources  int
	components, flatted cost
}

// cost is the median over several previews.
type cost struct {
	Wall   time.Duration // of the whole preview
	CPU    time.Duration // of the program alone
	Memory int64         // peak of the program alone, in bytes
}

func main() {
	run := bench
	if len(os.Args) == 4 && os.Args[1] == "measure" {
		run = func(ctx context.Context) error { return measure(ctx, os.Args[2], os.Args[3]) }
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "agentstack-bench-")
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	h := harness{folder: folder}
	if err := h.prepare(ctx); err != nil {
		return err
	}
	var rows []row
	for _, count := range regionCounts {
		measured, err := h.measureRegions(ctx, count)
		if err != nil {
			return fmt.Errorf("measure %d regions: %w", count, err)
		}
		rows = append(rows, measured)
	}
	if err := printTable(rows); err != nil {
		return err
	}
	return judge(rows)
}

func printTable(rows []row) error {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	const header = "regions\tresources\twall\tflat\tratio\tCPU\tflat\tratio\tmemory\tflat\t"
	if _, err := fmt.Fprintln(table, header); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	for _, r := range rows {
		a, b := r.components, r.flatted
		if _, err := fmt.Fprintf(table, "%d\t%d\t%.2f s\t%.2f s\t%.2f\t%.2f s\t%.2f s\t%.2f\t%d MiB\t%d MiB\t\n",
			r.regions, r.resources, a.Wall.Seconds(), b.Wall.Seconds(), ratio(a.Wall, b.Wall),
			a.CPU.Seconds(), b.CPU.Seconds(), ratio(a.CPU, b.CPU), a.Memory>>20, b.Memory>>20); err != nil {
			return fmt.Errorf("write table: %w", err)
		}
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

// judge returns every limit that is passed.
func judge(rows []row) error {
	var problems []error
	for _, r := range rows {
		if got := ratio(r.components.Wall, r.flatted.Wall); got > maxRatio {
			problems = append(problems, fmt.Errorf("%d regions: wall time is %.2f times that of the flat program",
				r.regions, got))
		}
	}
	few, many := perResource(rows[0], rows[2]), perResource(rows[2], rows[3])
	fmt.Printf("A further resource costs %.2f ms of CPU time up to %d regions, and %.2f ms from there to %d.\n",
		few, rows[2].regions, many, rows[3].regions)
	if many > few*maxGrowth {
		problems = append(problems,
			fmt.Errorf("growth is worse than linear: %.2f ms a resource after %.2f ms", many, few))
	}
	return errors.Join(problems...)
}

// perResource returns the CPU time in milliseconds of each resource that b has more than a.
func perResource(a, b row) float64 {
	more := float64(b.components.CPU-a.components.CPU) / float64(time.Millisecond)
	return more / float64(b.resources-a.resources)
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

func median[T int64 | time.Duration](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

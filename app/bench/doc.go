// Package bench measures agentd beside a bare reverse proxy, in front of the same mockllm: `make bench-app`. Every
// server is a process of its own; figures are ratios within one run, medians of rounds that take turns.
package bench

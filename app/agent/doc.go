// Package agent is the domain of the AI agent API: chat requests, the answers of models, the exchanges that
// are kept of them, agents and their sessions, and the interfaces that adapters implement. It imports the
// standard library and problem only.
package agent

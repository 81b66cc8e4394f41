// Package agent is the domain of the AI agent API: chat requests, the answers of models, the exchanges
// that are kept of them, and the interfaces that adapters implement. It imports the standard library only.
package agent

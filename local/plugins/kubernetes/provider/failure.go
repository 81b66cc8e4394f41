package provider

import (
	"errors"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil/rpcerror"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"

	"agentstack/local/plugins/kubernetes/await"
)

// initFailed is the error of an object that exists but is not as it should be: the engine stores the state
// and prints the reasons, and the next update waits again.
func (p *Provider) initFailed(id string, err error, state, inputs *structpb.Struct) error {
	reasons := []string{p.redactor.Redact(err.Error())}
	var notReady *await.NotReady
	if errors.As(err, &notReady) {
		reasons = []string{p.redactor.Redact(notReady.Summary)}
		for _, reason := range notReady.Reasons {
			reasons = append(reasons, p.redactor.Redact(reason))
		}
	}
	return rpcerror.WithDetails(
		rpcerror.New(codes.Unknown, p.redactor.Redact(err.Error())),
		&pulumirpc.ErrorResourceInitFailed{Id: id, Properties: state, Reasons: reasons, Inputs: inputs})
}

package monitoring

import (
	"fmt"

	apiregistrationv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apiregistration/v1"
	rbacv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/rbac/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

func (r registration) adapter() error {
	text, err := adapterConfig(r.args)
	if err != nil {
		return err
	}
	config, err := r.configMap(nameAdapter, r.args.Namespace, map[string]string{"config.yaml": text})
	if err != nil {
		return err
	}
	named := program{name: nameAdapter, namespace: r.args.Namespace}
	certificate, err := kube.NewCertificate(r.ctx, r.args.resourceName(nameAdapter),
		r.args.metadata(named, nameAdapter), []string{nameAdapter + "." + r.args.Namespace + ".svc"}, r.parent)
	if err != nil {
		return err
	}
	p := adapter(r.args, config, certificate.Metadata.Name())
	ingress, egress := adapterTraffic(r.args)
	if err := r.access(p, ingress, egress); err != nil {
		return err
	}
	rights, err := r.adapterRights(p)
	if err != nil {
		return err
	}
	deployment, err := r.deployment(p, pulumi.DependsOn(rights))
	if err != nil {
		return err
	}
	service, err := r.service(p, pulumi.DependsOn([]pulumi.Resource{deployment}))
	if err != nil {
		return err
	}
	// On the way down it goes first: Kubernetes deletes no namespace while a part of its API does not answer.
	_, err = apiregistrationv1.NewAPIService(r.ctx, r.args.resourceName(nameAdapter),
		metricsAPI(r.args, p, certificate), r.parent, pulumi.DependsOn([]pulumi.Resource{service}))
	if err != nil {
		return fmt.Errorf("register APIService: %w", err)
	}
	return nil
}

// adapterRights registers what the adapter may do. That autoscalers may read its metrics, Kubernetes sees to itself.
func (r registration) adapterRights(p program) ([]pulumi.Resource, error) {
	name := r.args.resourceName(p.name)
	reader, err := rbacv1.NewRole(r.ctx, name, role(r.args, p, r.args.AppNamespace, adapterRules()), r.parent)
	if err != nil {
		return nil, fmt.Errorf("register Role: %w", err)
	}
	delegator, err := rbacv1.NewClusterRoleBinding(r.ctx, name, clusterRoleBinding(r.args, p, delegatorRole), r.parent)
	if err != nil {
		return nil, fmt.Errorf("register ClusterRoleBinding: %w", err)
	}
	rights := []pulumi.Resource{reader, delegator}
	for _, binding := range []struct{ name, namespace, role string }{
		{name, r.args.AppNamespace, clusterName(p)},
		{r.args.resourceName(p.name + "-authentication"), systemNamespace, authenticationRole},
	} {
		bound, err := rbacv1.NewRoleBinding(r.ctx, binding.name,
			roleBinding(r.args, p, binding.namespace, binding.role), r.parent)
		if err != nil {
			return nil, fmt.Errorf("register RoleBinding: %w", err)
		}
		rights = append(rights, bound)
	}
	return rights, nil
}

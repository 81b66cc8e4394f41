package catalog

import "github.com/pulumi/pulumi/sdk/v3/go/common/resource"

// eks are clusters of Kubernetes and who may use them.
var eks = table{
	"aws:eks/cluster:Cluster": {
		ID: "${name}", AutoName: "name", Tagged: true, Required: []string{"roleArn", "vpcConfig"},
		Replaces: []string{"name", "roleArn", "encryptionConfig", "outpostConfig", "bootstrapSelfManagedAddons"},
		Rules: map[string]Rule{
			"name": clusterName, "roleArn": roleARN, "version": eksVersion,
			"vpcConfig": field("subnetIds", atLeast(2, "subnets in at least two zones")),
			"enabledClusterLogTypes": each(oneOf("api", "audit", "authenticator", "controllerManager",
				"scheduler")),
			"accessConfig": field("authenticationMode", oneOf("API", "API_AND_CONFIG_MAP", "CONFIG_MAP")),
		},
		Outputs: map[string]any{
			"arn": arn("eks", "cluster/${name}"), "clusterId": "", "createdAt": "${created}", "status": "ACTIVE",
			"endpoint": "https://${long:oidc}.gr7.${region}.eks.amazonaws.com", "platformVersion": "eks.1",
			"certificateAuthority":   map[string]any{"data": certificate},
			"certificateAuthorities": []any{map[string]any{"data": certificate}},
			"identities": []any{map[string]any{"oidcs": []any{
				map[string]any{"issuer": "https://oidc.eks.${region}.amazonaws.com/id/${long:oidc}"},
			}}},
			"version": "1.34",
		},
	},
	"aws:eks/nodeGroup:NodeGroup": {
		ID: "${clusterName}:${nodeGroupName}", AutoName: "nodeGroupName", Tagged: true,
		Required: []string{"clusterName", "nodeRoleArn", "scalingConfig", "subnetIds"},
		Replaces: []string{
			"clusterName", "nodeGroupName", "nodeRoleArn", "subnetIds", "amiType", "capacityType", "diskSize",
			"instanceTypes",
		},
		Rules: map[string]Rule{
			"clusterName": clusterName, "nodeRoleArn": roleARN, "scalingConfig": scaling, "version": eksVersion,
			"subnetIds": atLeast(1, "at least one subnet"), "instanceTypes": each(instanceType),
			"capacityType": oneOf("ON_DEMAND", "SPOT", "CAPACITY_BLOCK"),
		},
		Outputs: map[string]any{
			"arn": arn("eks", "nodegroup/${clusterName}/${nodeGroupName}/${uuid:arn}"), "status": "ACTIVE",
			"resources": []any{map[string]any{
				"autoscalingGroups": []any{map[string]any{"name": "eks-${nodeGroupName}-${uuid:group}"}},
			}},
			"amiType": "AL2023_x86_64_STANDARD", "capacityType": "ON_DEMAND",
		},
	},
	"aws:eks/addon:Addon": {
		ID: "${clusterName}:${addonName}", Tagged: true, Required: []string{"addonName", "clusterName"},
		Replaces: []string{"addonName", "clusterName"},
		Rules: map[string]Rule{
			"clusterName": clusterName, "serviceAccountRoleArn": roleARN, "configurationValues": document,
			"addonVersion":             matches(`v\d+\.\d+\.\d+-eksbuild\.\d+`, "a version such as v1.20.4-eksbuild.2"),
			"resolveConflictsOnCreate": oneOf("NONE", "OVERWRITE"),
			"resolveConflictsOnUpdate": oneOf("NONE", "OVERWRITE", "PRESERVE"),
		},
		Outputs: map[string]any{
			"arn":       arn("eks", "addon/${clusterName}/${addonName}/${uuid:arn}"),
			"createdAt": "${created}", "modifiedAt": "${created}", "addonVersion": "v1.0.0-eksbuild.1",
		},
	},
	"aws:eks/accessEntry:AccessEntry": {
		ID: "${clusterName}:${principalArn}", Tagged: true, Required: []string{"clusterName", "principalArn"},
		Replaces: []string{"clusterName", "principalArn", "type"},
		Rules: map[string]Rule{
			"clusterName": clusterName, "principalArn": anyARN,
			"type": oneOf("STANDARD", "EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "EC2", "HYBRID_LINUX"),
		},
		Outputs: map[string]any{
			"accessEntryArn": arn("eks", "access-entry/${clusterName}/${uuid:arn}"),
			"createdAt":      "${created}", "modifiedAt": "${created}", "userName": "${principalArn}",
		},
	},
	"aws:eks/accessPolicyAssociation:AccessPolicyAssociation": {
		ID:       "${clusterName}#${principalArn}#${policyArn}",
		Required: []string{"accessScope", "clusterName", "policyArn", "principalArn"},
		Replaces: []string{"accessScope", "clusterName", "policyArn", "principalArn"},
		Rules: map[string]Rule{
			"clusterName": clusterName, "principalArn": anyARN, "policyArn": anyARN,
			"accessScope": field("type", oneOf("cluster", "namespace")),
		},
		Outputs: map[string]any{"associatedAt": "${created}", "modifiedAt": "${created}"},
	},
	"aws:eks/podIdentityAssociation:PodIdentityAssociation": {
		ID: "a-${hex:id}", Tagged: true,
		Required: []string{"clusterName", "namespace", "roleArn", "serviceAccount"},
		Replaces: []string{"clusterName", "namespace", "serviceAccount"},
		Rules:    map[string]Rule{"clusterName": clusterName, "roleArn": roleARN},
		Outputs: map[string]any{
			"associationArn": arn("eks", "podidentityassociation/${clusterName}/${id}"), "associationId": "${id}",
		},
	},
}

// certificate is the simulation's certificate authority: text in Base64, as the real one is.
const certificate = "${base64:a simulated certificate authority}"

// scaling is the rule of a node group's size.
func scaling(value resource.PropertyValue) string {
	if !value.IsObject() {
		return "want an object"
	}
	sizes := value.ObjectValue()
	least, desired, most := sizes["minSize"], sizes["desiredSize"], sizes["maxSize"]
	if !least.IsNumber() || !desired.IsNumber() || !most.IsNumber() {
		return ""
	}
	if least.NumberValue() > desired.NumberValue() || desired.NumberValue() > most.NumberValue() {
		return "want minSize <= desiredSize <= maxSize"
	}
	return ""
}

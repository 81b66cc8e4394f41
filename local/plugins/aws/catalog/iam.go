package catalog

// iam are roles, what they may do, and who may act as them.
var iam = table{
	"aws:iam/role:Role": {
		ID: "${name}", AutoName: "name", Tagged: true, Required: []string{"assumeRolePolicy"},
		Replaces: []string{"name", "namePrefix", "path"},
		Rules: map[string]Rule{
			"assumeRolePolicy": trustPolicy, "name": roleName, "managedPolicyArns": each(anyARN),
			"permissionsBoundary": anyARN, "maxSessionDuration": between(3600, 43200),
		},
		Outputs: map[string]any{
			"arn": globalARN("iam", "role/${name}"), "createDate": "${created}", "uniqueId": "AROA${word:id}",
		},
	},
	"aws:iam/rolePolicy:RolePolicy": {
		ID: "${role}:${name}", AutoName: "name", Required: []string{"policy", "role"},
		Replaces: []string{"name", "namePrefix", "role"},
		Rules:    map[string]Rule{"policy": identityPolicy, "role": roleName, "name": policyName},
	},
	"aws:iam/rolePolicyAttachment:RolePolicyAttachment": {
		ID: "${role}-${number:id}", Required: []string{"policyArn", "role"}, Replaces: []string{"policyArn", "role"},
		Rules: map[string]Rule{"policyArn": anyARN, "role": roleName},
	},
	"aws:iam/policy:Policy": {
		ID: globalARN("iam", "policy/${name}"), AutoName: "name", Tagged: true, Required: []string{"policy"},
		Replaces: []string{"name", "namePrefix", "path", "description"},
		Rules:    map[string]Rule{"policy": identityPolicy, "name": policyName},
		Outputs:  map[string]any{"arn": "${id}", "policyId": "ANPA${word:id}", "attachmentCount": 0},
	},
	"aws:iam/openIdConnectProvider:OpenIdConnectProvider": {
		ID:       globalARN("iam", "oidc-provider/${number:url}"),
		Tagged:   true,
		Required: []string{"clientIdLists", "url"}, Replaces: []string{"url"},
		Rules:   map[string]Rule{"url": matches(`https://\S+`, "a URL that begins with https://")},
		Outputs: map[string]any{"arn": "${id}", "thumbprintLists": []any{}},
	},
}

// kms are keys.
var kms = table{
	"aws:kms/key:Key": {
		ID: "${uuid:id}", Tagged: true, Replaces: []string{"customerMasterKeySpec", "keyUsage", "multiRegion"},
		Rules: map[string]Rule{
			"deletionWindowInDays": between(7, 30), "rotationPeriodInDays": between(90, 2560),
			"policy": resourcePolicy, "keyUsage": oneOf("ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC"),
		},
		Outputs: map[string]any{"arn": arn("kms", "key/${id}"), "keyId": "${id}", "multiRegion": false},
	},
	"aws:kms/alias:Alias": {
		ID: "${name}", Required: []string{"targetKeyId"}, Replaces: []string{"name", "namePrefix"},
		AutoName: "name", NamePrefix: "alias/",
		Rules:   map[string]Rule{"name": matches(`alias/[\w/-]{1,250}`, "a name that begins with alias/")},
		Outputs: map[string]any{"arn": arn("kms", "${name}"), "targetKeyArn": arn("kms", "key/${targetKeyId}")},
	},
}

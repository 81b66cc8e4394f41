package catalog

import (
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// acm are certificates.
var acm = table{
	"aws:acm/certificate:Certificate": {
		ID: arn("acm", "certificate/${uuid:id}"), Tagged: true,
		Replaces: []string{
			"domainName", "subjectAlternativeNames", "validationMethod", "keyAlgorithm", "certificateAuthorityArn",
		},
		Rules: map[string]Rule{
			"domainName": domainName, "subjectAlternativeNames": each(domainName),
			"validationMethod": oneOf("DNS", "EMAIL"),
		},
		Outputs: map[string]any{
			"arn": "${id}", "status": "PENDING_VALIDATION", "type": "AMAZON_ISSUED", "pendingRenewal": false,
			"renewalEligibility": "INELIGIBLE", "renewalSummaries": []any{}, "notBefore": "", "notAfter": "",
			"validationEmails": []any{}, "domainValidationOptions": validationOptions, "keyAlgorithm": "RSA_2048",
			"subjectAlternativeNames": []any{"${domainName}"},
		},
	},
	"aws:acm/certificateValidation:CertificateValidation": {
		ID: "${created} ${number:id}", Required: []string{"certificateArn"},
		Replaces: []string{"certificateArn", "validationRecordFqdns"},
		Rules:    map[string]Rule{"certificateArn": anyARN},
	},
}

// validationOptions is one DNS record for each name of a certificate.
func validationOptions(r *Resource) any {
	names := []string{r.Text("domainName")}
	if others := r.Inputs["subjectAlternativeNames"]; others.IsArray() {
		for _, other := range others.ArrayValue() {
			if other.IsString() && other.StringValue() != names[0] {
				names = append(names, other.StringValue())
			}
		}
	}
	options := make([]any, len(names))
	for i, name := range names {
		options[i] = map[string]any{
			"domainName": name, "resourceRecordType": "CNAME",
			"resourceRecordName":  "_" + r.random("hex", name) + "." + trimWildcard(name) + ".",
			"resourceRecordValue": "_" + r.random("hex", name+" value") + ".acm-validations.aws.",
		}
	}
	return options
}

func trimWildcard(name string) string {
	if len(name) > 2 && name[:2] == "*." {
		return name[2:]
	}
	return name
}

// cloudwatch are logs and alarms.
var cloudwatch = table{
	"aws:cloudwatch/logGroup:LogGroup": {
		ID: "${name}", AutoName: "name", Tagged: true, Replaces: []string{"name", "namePrefix", "logGroupClass"},
		Rules: map[string]Rule{
			"name": matches(`[\w./#-]{1,512}`, "at most 512 letters, digits and _./#-"), "retentionInDays": retention,
			"logGroupClass": oneOf("STANDARD", "INFREQUENT_ACCESS", "DELIVERY"),
		},
		Outputs: map[string]any{"arn": arn("logs", "log-group:${name}"), "logGroupClass": "STANDARD"},
	},
	"aws:cloudwatch/metricAlarm:MetricAlarm": {
		ID: "${name}", AutoName: "name", Tagged: true, Required: []string{"comparisonOperator", "evaluationPeriods"},
		Replaces: []string{"name"},
		Rules: map[string]Rule{
			"comparisonOperator": oneOf("GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold",
				"LessThanOrEqualToThreshold", "LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold",
				"GreaterThanUpperThreshold"),
			"statistic":        oneOf("SampleCount", "Average", "Sum", "Minimum", "Maximum"),
			"treatMissingData": oneOf("missing", "ignore", "breaching", "notBreaching"),
			"alarmActions":     each(anyARN), "okActions": each(anyARN), "insufficientDataActions": each(anyARN),
		},
		Whole:   exactlyOne("metricName", "metricQueries"),
		Outputs: map[string]any{"arn": arn("cloudwatch", "alarm:${name}")},
	},
}

// retention is the rule of CloudWatch's list of days.
func retention(value resource.PropertyValue) string {
	if !value.IsNumber() {
		return "want a number of days"
	}
	switch value.NumberValue() {
	case 0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653:
		return ""
	}
	return "is not among the days that CloudWatch offers: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, ..."
}

// sns are topics, which alarms tell.
var sns = table{
	"aws:sns/topic:Topic": {
		ID: arn("sns", "${name}"), AutoName: "name", Tagged: true,
		Replaces: []string{"name", "namePrefix", "fifoTopic"},
		Rules: map[string]Rule{
			"name":   matches(`[\w-]{1,256}(\.fifo)?`, "at most 256 letters, digits, - and _"),
			"policy": resourcePolicy,
		},
		Outputs: map[string]any{"arn": "${id}", "owner": "${account}", "beginningArchiveTime": ""},
	},
	"aws:sns/topicSubscription:TopicSubscription": {
		ID: "${topic}:${uuid:id}", Required: []string{"endpoint", "protocol", "topic"},
		Replaces: []string{"endpoint", "protocol", "topic"},
		Rules: map[string]Rule{
			"topic": anyARN,
			"protocol": oneOf("sqs", "sms", "lambda", "firehose", "application", "email", "email-json", "http",
				"https"),
		},
		Outputs: map[string]any{
			"arn": "${id}", "confirmationWasAuthenticated": true, "ownerId": "${account}", "pendingConfirmation": false,
		},
	},
	"aws:sns/topicPolicy:TopicPolicy": {
		ID: "${arn}", Required: []string{"arn", "policy"}, Replaces: []string{"arn"},
		Rules: map[string]Rule{"arn": anyARN, "policy": resourcePolicy}, Outputs: map[string]any{"owner": "${account}"},
	},
}

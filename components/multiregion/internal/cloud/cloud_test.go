package cloud

import "testing"

func TestARN(t *testing.T) {
	tests := map[string]struct {
		region, bucket, policy string
	}{
		"standard": {"eu-west-1", "arn:aws:s3:::b/*", "arn:aws:iam::aws:policy/P"},
		"China":    {"cn-north-1", "arn:aws-cn:s3:::b/*", "arn:aws-cn:iam::aws:policy/P"},
		"GovCloud": {"us-gov-west-1", "arn:aws-us-gov:s3:::b/*", "arn:aws-us-gov:iam::aws:policy/P"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			scope := Scope{Region: test.region}
			if got := scope.BucketARN("b/*"); got != test.bucket {
				t.Errorf("bucket = %s, want %s", got, test.bucket)
			}
			if got := scope.ManagedPolicy("P"); got != test.policy {
				t.Errorf("policy = %s, want %s", got, test.policy)
			}
		})
	}
}

func TestPolicy(t *testing.T) {
	const want = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},` +
		`"Action":["sts:AssumeRole"]},{"Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::b"],` +
		`"Condition":{"Bool":{"k":"true"}}}]}`
	got := Policy(Trust("s3.amazonaws.com", nil),
		Allow([]string{"s3:GetObject"}, []string{"arn:aws:s3:::b"}).When(Condition{"Bool": {"k": "true"}}))
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

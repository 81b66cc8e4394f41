// Package s3 keeps objects in a bucket of an S3-compatible store.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// partSize is the size in bytes of the parts of an upload, one of which is held in memory. S3 takes 10,000 parts, so
// an object may have 312 GiB. https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const partSize = 32 << 20

// Options configures a Store.
type Options struct {
	Endpoint string // URL; empty: AWS
	Region   string
	Bucket   string
	// AccessKeyID and SecretAccessKey are both empty in a pod with an identity of its own: EKS Pod Identity or an
	// IAM role for its service account.
	AccessKeyID, SecretAccessKey string
}

// Store is a bucket.
type Store struct {
	client *minio.Client
	bucket string
}

// New returns a store that connects when it is first used.
func New(options Options) (*Store, error) {
	endpoint := &url.URL{Scheme: "https", Host: "s3." + options.Region + ".amazonaws.com"}
	if options.Endpoint != "" {
		parsed, err := url.Parse(options.Endpoint)
		if err != nil {
			return nil, fmt.Errorf("parse endpoint: %w", err)
		}
		endpoint = parsed
	}
	identity := credentials.NewIAM("")
	if options.AccessKeyID != "" {
		identity = credentials.NewStaticV4(options.AccessKeyID, options.SecretAccessKey, "")
	}
	client, err := minio.New(endpoint.Host, &minio.Options{
		Creds: identity, Secure: endpoint.Scheme == "https", Region: options.Region,
	})
	if err != nil {
		return nil, fmt.Errorf("make S3 client: %w", err)
	}
	return &Store{client: client, bucket: options.Bucket}, nil
}

// Put stores what content has until io.EOF, in parts. When it fails it aborts the upload, even if ctx has ended.
func (s *Store) Put(ctx context.Context, key string, content io.Reader) error {
	_, err := s.client.PutObject(ctx, s.bucket, key, content, -1, minio.PutObjectOptions{PartSize: partSize})
	if err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	return nil
}

// Get opens an object; that it does not exist shows at the first Read.
func (s *Store) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	object, err := s.client.GetObject(ctx, s.bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	return object, nil
}

// List returns the keys of all objects whose key starts with prefix.
func (s *Store) List(ctx context.Context, prefix string) ([]string, error) {
	var keys []string
	options := minio.ListObjectsOptions{Prefix: prefix, Recursive: true}
	for object := range s.client.ListObjectsIter(ctx, s.bucket, options) {
		if object.Err != nil {
			return nil, fmt.Errorf("list objects under %s: %w", prefix, object.Err)
		}
		keys = append(keys, object.Key)
	}
	return keys, nil
}

// Delete deletes an object; one that does not exist is no error.
func (s *Store) Delete(ctx context.Context, key string) error {
	err := s.client.RemoveObject(ctx, s.bucket, key, minio.RemoveObjectOptions{})
	if err != nil && minio.ToErrorResponse(err).Code != minio.NoSuchKey {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return nil
}

// DeleteUploads deletes uploads that began before a time and never ended.
func (s *Store) DeleteUploads(ctx context.Context, prefix string, before time.Time) error {
	var problems []error
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing
	for upload := range s.client.ListIncompleteUploads(ctx, s.bucket, prefix, true) {
		if upload.Err != nil {
			return errors.Join(append(problems, fmt.Errorf("list uploads under %s: %w", prefix, upload.Err))...)
		}
		if !upload.Initiated.Before(before) {
			continue
		}
		if err := s.client.RemoveIncompleteUpload(ctx, s.bucket, upload.Key); err != nil {
			problems = append(problems, fmt.Errorf("abort upload of %s: %w", upload.Key, err))
		}
	}
	return errors.Join(problems...)
}

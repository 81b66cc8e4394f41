package provider

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// playKubelet does to every pod of the namespace what react says, until the test ends.
func (s *stack) playKubelet(react func(context.Context, *corev1.Pod) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.watchPods(ctx, react) }()
	s.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			s.Errorf("kubelet: %v", err)
		}
	})
}

func (s *stack) watchPods(ctx context.Context, react func(context.Context, *corev1.Pod) error) error {
	watch, err := s.client.CoreV1().Pods(s.namespace).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	defer watch.Stop()
	for event := range watch.ResultChan() {
		pod, ok := event.Object.(*corev1.Pod)
		if !ok || event.Type == "DELETED" {
			continue
		}
		if pod.DeletionTimestamp != nil {
			now := int64(0)
			err := s.client.CoreV1().
				Pods(s.namespace).
				Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
			if err != nil && !apierrors.IsNotFound(err) {
				return fmt.Errorf("finish pod: %w", err)
			}
			continue
		}
		if pod.Status.Phase != corev1.PodPending || len(pod.Status.ContainerStatuses) > 0 {
			continue
		}
		if err := react(ctx, pod); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return err
		}
	}
	return ctx.Err()
}

// podsRun binds the pod to a node of the test's own, since endpoints need one, and starts its containers.
func (s *stack) podsRun(ctx context.Context, pod *corev1.Pod) error {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
	_, err := s.client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make node: %w", err)
	}
	binding := &corev1.Binding{
		ObjectMeta: pod.ObjectMeta,
		Target:     corev1.ObjectReference{Kind: "Node", Name: node.Name},
	}
	binding.ResourceVersion = ""
	if err := s.client.CoreV1().Pods(pod.Namespace).Bind(ctx, binding, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("bind pod: %w", err)
	}
	pod, err = s.client.CoreV1().Pods(pod.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("read pod: %w", err)
	}
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = []corev1.PodCondition{
		{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()},
		{Type: corev1.ContainersReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()},
	}
	pod.Status.PodIP = "10.0.0.1"
	pod.Status.PodIPs = []corev1.PodIP{{IP: "10.0.0.1"}}
	for _, container := range pod.Spec.Containers {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: container.Name, Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
		})
	}
	_, err = s.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
	return err
}

func (s *stack) podsSucceed(ctx context.Context, pod *corev1.Pod) error {
	return s.podsEnd(ctx, pod, corev1.PodSucceeded, 0)
}

func (s *stack) podsFail(ctx context.Context, pod *corev1.Pod) error {
	return s.podsEnd(ctx, pod, corev1.PodFailed, 3)
}

func (s *stack) podsEnd(ctx context.Context, pod *corev1.Pod, phase corev1.PodPhase, code int32) error {
	pod.Status.Phase = phase
	for _, container := range pod.Spec.Containers {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: container.Name, State: corev1.ContainerState{
				Terminated: &corev1.ContainerStateTerminated{
					ExitCode:   code,
					Reason:     "Error",
					FinishedAt: metav1.Now(),
				},
			},
		})
	}
	_, err := s.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
	return err
}

// podsCannotPull is what a kubelet reports for an image that no registry has.
func (s *stack) podsCannotPull(ctx context.Context, pod *corev1.Pod) error {
	for _, container := range pod.Spec.Containers {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: container.Name, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
				Reason: "ImagePullBackOff", Message: fmt.Sprintf("Back-off pulling image %q", container.Image),
			}},
		})
	}
	if _, err := s.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{}); err != nil {
		return err
	}
	_, err := s.client.CoreV1().Events(pod.Namespace).Create(ctx, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{GenerateName: pod.Name + ".", Namespace: pod.Namespace},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: "v1", Kind: "Pod", Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID,
		},
		Type: corev1.EventTypeWarning, Reason: "Failed", LastTimestamp: metav1.Now(),
		Message: fmt.Sprintf("Failed to pull image %q: manifest unknown", pod.Spec.Containers[0].Image),
	}, metav1.CreateOptions{})
	return err
}

// eventually polls until the condition holds.
func eventually(t *testing.T, condition func() bool, message string) {
	t.Helper()
	require.Eventually(t, condition, time.Minute, 100*time.Millisecond, message)
}

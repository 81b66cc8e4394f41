package visitors

import (
	"fmt"
	"strings"
	"time"
)

const (
	// Of all requests, one in freshConnections makes a connection of its own, and one in newQuestions asks what nobody
	// has asked yet, so that a model is called and the answer stored. The rest may come from the cache.
	freshConnections = 20
	newQuestions     = 4
	oldQuestions     = 50
	// mostWaiting bounds the memory of the test when nothing is answered any more: a request beyond has failed.
	mostWaiting = 4000
)

// requests sends each request when it is due, whether those before are answered or not.
func (v *Visitors) requests() {
	every := time.Second / time.Duration(v.load.Rate)
	for n := 0; ; n++ {
		due := v.began.Add(time.Duration(n) * every)
		if !v.pause(time.Until(due)) {
			return
		}
		v.running.Go(func() {
			err := v.request(n)
			v.requested(time.Since(due), err)
		})
	}
}

// request asks the mock, which repeats the question.
func (v *Visitors) request(n int) error {
	defer v.waiting.Add(-1)
	if v.waiting.Add(1) > mostWaiting {
		return fmt.Errorf("not sent: %d requests wait for their answers", mostWaiting)
	}
	client := v.client(n)
	if n%freshConnections == 0 {
		client = v.clients.fresh
	}
	question := fmt.Sprintf("old question %d", n%oldQuestions)
	if n%newQuestions == 0 {
		question = fmt.Sprintf("question %d since %d", n, v.began.UnixNano())
	}
	var completion struct {
		Choices []struct{ Message struct{ Content string } }
	}
	err := v.call(client, v.caller(n), "/v1/chat/completions", map[string]any{
		"model": "mock", "messages": []map[string]string{{"role": "user", "content": question}},
	}, &completion)
	if err != nil {
		return err
	}
	if len(completion.Choices) != 1 || completion.Choices[0].Message.Content != answerTo(question) {
		return fmt.Errorf("%q is no answer to %q", completion.Choices, question)
	}
	return nil
}

// answerTo is what the mock says.
func answerTo(question string) string { return "You said: " + question }

// longQuestion has a number of words.
func longQuestion(visitor, number, words int) string {
	return strings.TrimSpace(fmt.Sprintf("question %d of visitor %d %s", number, visitor,
		strings.Repeat("word ", words-5)))
}

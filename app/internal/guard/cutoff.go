package guard

import (
	"errors"
	"slices"
)

// ErrNoAnswer says that nothing came from an instance: neither what was asked for nor a refusal.
var ErrNoAnswer = errors.New("it does not answer")

// cutOff is the fault of a primary whose network is gone. The operator waits until its pod is not ready, and then until
// its request to that pod has timed out, up to a minute in all. A pod that is being deleted it asks nothing, and
// promotes a replica at once.
//
// Nothing that was acknowledged is lost: where every commit has to be confirmed by a replica (ReplaceCutOff), a primary
// from which no replica receives can acknowledge no write, and what it acknowledged before is on one of the replicas,
// of which the operator promotes the one with the most, and none while it cannot know which that is.
var cutOff = &fault{text: "the primary does not answer, and no replica receives from it", rounds: silencesToAct}

// silencesToAct are about four seconds, since a round with a silent primary takes as long as answerTimeout. They begin
// when the last replica has given up its connection, five seconds after it last heard of the primary
// (wal_receiver_timeout, as the operator sets it): so the guard acts about ten seconds after the cut. A primary whose
// postmaster was killed refuses connections until its pod starts it again, which is no silence.
const silencesToAct = 3

// cutOff says whether the primary is silent and everybody who could follow it says that they do not. A ready instance
// that does not answer either may be one that does follow: then it may be the guard that is cut off. One that is no
// standby has been promoted already.
func (s sighting) cutOff() bool {
	return errors.Is(s.err, ErrNoAnswer) && !slices.ContainsFunc(s.others, func(other answer) bool {
		if other.err != nil {
			return other.Available
		}
		return other.Receiving || !other.Standby
	})
}

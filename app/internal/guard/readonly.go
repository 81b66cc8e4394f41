package guard

import "errors"

// ErrReadOnly says that the file system with the data of an instance refuses writes.
var ErrReadOnly = errors.New("its file system refuses writes")

// readOnly is the fault of a primary whose data volume the kernel made read-only. It still answers queries, so that the
// operator takes it for healthy, and every write fails.
var readOnly = &fault{text: "the primary cannot write", rounds: refusalsToAct}

// refusalsToAct in a row are no accident.
const refusalsToAct = 3

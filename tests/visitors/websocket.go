package visitors

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// The opcodes of RFC 6455, section 5.2.
const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xA
)

const (
	statusNormal  = 1000
	statusRestart = 1012
	noStatus      = 1005

	maxPayload = 1 << 20 // bytes
)

// closed is the close frame of a server.
type closed struct {
	code   int
	reason string
}

func (c *closed) Error() string { return fmt.Sprintf("closed with %d %s", c.code, c.reason) }

// Is makes the code with which the API sends clients elsewhere an errRestart.
func (c *closed) Is(target error) bool { return target == errRestart && c.code == statusRestart }

// websocket is a client's end of a WebSocket, of which this program wants to see how it ends, frame by frame.
type websocket struct {
	conn   net.Conn
	reader *bufio.Reader
	mu     sync.Mutex // of writes
}

// dial opens a WebSocket. An answer other than 101 is a refusal.
func dial(ctx context.Context, edge Edge, bearer string) (*websocket, error) {
	plain, err := edge.dial(ctx)
	if err != nil {
		return nil, err
	}
	config := edge.tls()
	config.NextProtos = []string{"http/1.1"}
	w := &websocket{conn: tls.Client(plain, config)}
	w.reader = bufio.NewReader(w.conn)
	if err := w.handshake(edge.Host, bearer); err != nil {
		_ = w.conn.Close()
		return nil, err
	}
	return w, nil
}

func (w *websocket) handshake(host, bearer string) error {
	if err := w.conn.SetDeadline(time.Now().Add(connectTimeout)); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	key := rand.Text()[:22] + "==" // 16 bytes, of which nobody decodes the last bits
	request, err := http.NewRequest(http.MethodGet, "https://"+host+"/ws", nil)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	request.Header = http.Header{
		"Authorization": {"Bearer " + bearer}, "Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-WebSocket-Version": {"13"}, "Sec-WebSocket-Key": {key},
	}
	if err := request.Write(w.conn); err != nil {
		return fmt.Errorf("send handshake: %w", err)
	}
	response, err := http.ReadResponse(w.reader, request)
	if err != nil {
		return fmt.Errorf("read handshake: %w", err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		return refused("GET /ws", response)
	}
	if got := response.Header.Get("Sec-WebSocket-Accept"); got != acceptOf(key) {
		return fmt.Errorf("the handshake accepts %q, not %q", got, acceptOf(key))
	}
	return w.conn.SetDeadline(time.Time{})
}

// acceptOf is what a server answers to a key: RFC 6455, section 4.2.2.
func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// read returns the next message, and answers pings. The server's close frame is a *closed.
func (w *websocket) read(silence time.Duration) ([]byte, error) {
	for {
		if err := w.conn.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return nil, err
		}
		opcode, payload, err := readFrame(w.reader)
		if err != nil {
			return nil, err
		}
		switch opcode {
		case opText:
			return payload, nil
		case opPing:
			if err := w.write(opPong, payload); err != nil {
				return nil, err
			}
		case opPong:
		case opClose:
			_ = w.write(opClose, payload) // the server may be gone
			end := &closed{code: noStatus}
			if len(payload) >= 2 {
				end.code, end.reason = int(binary.BigEndian.Uint16(payload)), string(payload[2:])
			}
			return nil, end
		default:
			return nil, fmt.Errorf("frame with opcode %d", opcode)
		}
	}
}

func (w *websocket) write(opcode byte, payload []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.conn.SetWriteDeadline(time.Now().Add(connectTimeout)); err != nil {
		return err
	}
	_, err := w.conn.Write(frame(opcode, payload, true))
	return err
}

// sayGoodbye sends the close frame of a client that leaves.
func (w *websocket) sayGoodbye() error {
	return w.write(opClose, binary.BigEndian.AppendUint16(nil, statusNormal))
}

// readFrame reads a whole message: the API sends none in fragments.
func readFrame(r io.Reader) (opcode byte, payload []byte, err error) {
	const final, maskBit, wide, wider = 0x80, 0x80, 126, 127
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	if head[0]&final == 0 {
		return 0, nil, errors.New("a message in fragments")
	}
	length := uint64(head[1] &^ maskBit)
	var extended [8]byte
	size := map[uint64]int{wide: 2, wider: 8}[length]
	if size > 0 {
		if _, err := io.ReadFull(r, extended[8-size:]); err != nil {
			return 0, nil, err
		}
		length = binary.BigEndian.Uint64(extended[:])
	}
	if length > maxPayload {
		return 0, nil, fmt.Errorf("a message of %d bytes", length)
	}
	var mask [4]byte
	if head[1]&maskBit != 0 {
		if _, err := io.ReadFull(r, mask[:]); err != nil {
			return 0, nil, err
		}
	}
	payload = make([]byte, length)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, err
	}
	for i := range payload {
		payload[i] ^= mask[i%4]
	}
	return head[0] & 0xF, payload, nil
}

// frame encodes a message of up to 64 KiB. Those of clients are masked.
func frame(opcode byte, payload []byte, masked bool) []byte {
	encoded := []byte{0x80 | opcode, byte(len(payload))}
	if len(payload) > 125 {
		encoded[1] = 126
		encoded = binary.BigEndian.AppendUint16(encoded, uint16(len(payload)))
	}
	if !masked {
		return append(encoded, payload...)
	}
	encoded[1] |= 0x80
	// The mask protects old proxies from pages of browsers: any will do.
	return append(append(encoded, 0, 0, 0, 0), payload...)
}

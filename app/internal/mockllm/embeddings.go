package mockllm

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"math"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"github.com/tidwall/gjson"
)

const (
	defaultDimensions = 1536
	maxDimensions     = 4096
	// dimensionsPerWord spreads a word, so that two words rarely share all of theirs.
	dimensionsPerWord = 4
)

func (s *server) embed(w http.ResponseWriter, r *http.Request) {
	request, err := readRequest(r)
	if err != nil {
		refuse(w, err.Error())
		return
	}
	texts, ok := inputs(request.Get("input"))
	if !ok {
		refuse(w, "input must be a string or an array of strings, none of them empty")
		return
	}
	dimensions := int64(defaultDimensions)
	if given := request.Get("dimensions"); given.Exists() {
		dimensions = given.Int()
	}
	if dimensions < 1 || dimensions > maxDimensions {
		refuse(w, "dimensions must be from 1 to "+strconv.Itoa(maxDimensions))
		return
	}
	model := request.Get("model").String()
	if fault := s.failures.of(model, strings.Join(texts, "\x00")); fault != nil {
		writeFault(w, openAI{}, fault)
		return
	}
	if model == hang || model == silent {
		<-r.Context().Done()
		return
	}
	inBase64 := request.Get("encoding_format").String() == "base64"
	writeJSON(w, http.StatusOK, embeddings(model, texts, int(dimensions), inBase64))
}

func refuse(w http.ResponseWriter, message string) {
	writeFault(w, openAI{}, badRequest(message))
}

func inputs(value gjson.Result) ([]string, bool) {
	list := []gjson.Result{value}
	if value.IsArray() {
		list = value.Array()
	}
	texts := make([]string, len(list))
	for i, item := range list {
		if texts[i] = item.String(); item.Type != gjson.String || texts[i] == "" {
			return nil, false
		}
	}
	return texts, len(texts) > 0
}

func embeddings(model string, texts []string, dimensions int, inBase64 bool) []byte {
	body := []byte(`{"object":"list","data":[`)
	tokens := 0
	for i, text := range texts {
		if i > 0 {
			body = append(body, ',')
		}
		tokens += words(text)
		body = strconv.AppendInt(append(body, `{"object":"embedding","index":`...), int64(i), 10)
		body = appendVector(append(body, `,"embedding":`...), embedding(text, dimensions), inBase64)
		body = append(body, '}')
	}
	body = gjson.AppendJSONString(append(body, `],"model":`...), model)
	body = strconv.AppendInt(append(body, `,"usage":{"prompt_tokens":`...), int64(tokens), 10)
	body = strconv.AppendInt(append(body, `,"total_tokens":`...), int64(tokens), 10)
	return append(body, "}}"...)
}

func appendVector(dst []byte, vector []float32, inBase64 bool) []byte {
	if inBase64 {
		raw := make([]byte, 0, 4*len(vector))
		for _, value := range vector {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(value))
		}
		return append(base64.StdEncoding.AppendEncode(append(dst, '"'), raw), '"')
	}
	dst = append(dst, '[')
	for i, value := range vector {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendFloat(dst, float64(value), 'g', -1, 32)
	}
	return append(dst, ']')
}

// embedding is a unit vector by the words of the text, so that texts that share words are near. Order, case
// and punctuation do not count.
func embedding(text string, dimensions int) []float32 {
	vector := make([]float32, dimensions)
	separator := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	for word := range strings.FieldsFuncSeq(strings.ToLower(text), separator) {
		hash := fnv.New64a()
		_, _ = hash.Write([]byte(word))
		for bits, i := hash.Sum64(), 0; i < dimensionsPerWord; i++ {
			value := float32(1)
			if bits&1 == 1 {
				value = -1
			}
			vector[bits>>1%(1<<15)%uint64(dimensions)] += value
			bits >>= 16
		}
	}
	sum := 0.0
	for _, value := range vector {
		sum += float64(value) * float64(value)
	}
	if sum == 0 {
		vector[0], sum = 1, 1
	}
	for i := range vector {
		vector[i] *= float32(1 / math.Sqrt(sum))
	}
	return vector
}

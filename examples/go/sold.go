// go run . SELLER    What became of the orders for a seller's tickets up to now: reads the topic orders from its beginning.
// KAFKA_BROKERS and SCHEMA_REGISTRY_URL say where.
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

func must[T any](value T, err error) T { if err != nil { panic(err) }; return value }

func main() {
	ctx, schemas, left := context.Background(), map[int]avro.Schema{}, map[int32]int64{}
	registry := must(sr.NewClient(sr.URLs(os.Getenv("SCHEMA_REGISTRY_URL"))))
	client := must(kgo.NewClient(kgo.SeedBrokers(strings.Split(os.Getenv("KAFKA_BROKERS"), ",")...), kgo.ConsumeTopics("orders"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted())))
	must(kadm.NewClient(client).ListEndOffsets(ctx, "orders")).Each(func(end kadm.ListedOffset) { left[end.Partition] = end.Offset })
	seen, counts, revenue := map[string]bool{}, map[any]int{}, int64(0)
	for len(left) > 0 {
		for partition, end := range left { if end == 0 { delete(left, partition) } }
		client.PollRecords(ctx, 1000).EachRecord(func(record *kgo.Record) { // its value: a byte 0, the schema's number, the event
			id, event := int(binary.BigEndian.Uint32(record.Value[1:5])), map[string]any{}
			if schemas[id] == nil { schemas[id] = must(avro.Parse(must(registry.SchemaByID(ctx, id)).Schema)) }
			must(0, avro.Unmarshal(schemas[id], record.Value[5:], &event))
			if record.Offset+1 >= left[record.Partition] { delete(left, record.Partition) }
			if is := fmt.Sprint(event["id"], event["version"]); event["sellerId"] != os.Args[1] || seen[is] { return } else { seen[is] = true }
			counts[event["type"]]++
			if event["type"] == "OrderCompleted" { revenue += event["price"].(int64) }
		})
	}
	fmt.Println(counts, "revenue", revenue)
}

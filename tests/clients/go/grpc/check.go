package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// retries is a policy that would try again after 10 ms, were it not told otherwise.
const retries = `{"methodConfig": [{"name": [{}], "retryPolicy": {
	"maxAttempts": 3, "initialBackoff": "0.01s", "maxBackoff": "0.01s", "backoffMultiplier": 1,
	"retryableStatusCodes": ["UNAVAILABLE"]}}]}`

// attempt is one try of a call.
type attempt struct {
	// Begun is when it began, and Ended when its trailers came, in milliseconds since 1970.
	Begun int64 `json:"begun"`
	Ended int64 `json:"ended"`
	// Pushback is what the trailers had of grpc-retry-pushback-ms.
	Pushback []string `json:"pushback"`
}

type seen struct {
	Code     string    `json:"code"`
	Message  string    `json:"message"`
	Health   string    `json:"health"`
	Attempts []attempt `json:"attempts"`
}

func check(address string, retry bool) {
	tries := &tries{}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithNoProxy(),
		grpc.WithStatsHandler(tries),
	}
	if retry {
		options = append(options, grpc.WithDefaultServiceConfig(retries))
	}
	connection, err := grpc.NewClient("passthrough:///"+address, options...)
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	client := grpc_health_v1.NewHealthClient(connection)
	response, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	result := seen{
		Code:     status.Code(err).String(),
		Message:  status.Convert(err).Message(),
		Health:   response.GetStatus().String(),
		Attempts: tries.all(),
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		log.Fatal(err)
	}
}

// tries is a stats.Handler that writes down the attempts of one call.
type tries struct {
	mutex    sync.Mutex
	attempts []attempt
}

func (t *tries) all() []attempt {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.attempts
}

func (t *tries) HandleRPC(_ context.Context, event stats.RPCStats) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	now := time.Now().UnixMilli()
	switch event := event.(type) {
	case *stats.Begin:
		t.attempts = append(t.attempts, attempt{Begun: now})
	case *stats.InTrailer:
		last := &t.attempts[len(t.attempts)-1]
		last.Ended, last.Pushback = now, event.Trailer.Get("grpc-retry-pushback-ms")
	}
}

func (t *tries) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (t *tries) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (t *tries) HandleConn(context.Context, stats.ConnStats) {}

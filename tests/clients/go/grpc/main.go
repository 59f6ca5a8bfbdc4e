// Command grpc is an app that speaks gRPC, and its client.
//
//	grpc serve                  serves the health service, prints its address, ends with its input
//	grpc check ADDRESS [retry]  asks whether the app is healthy, and prints what came of it as JSON
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

func main() {
	log.SetFlags(0)
	switch arguments := os.Args[1:]; {
	case len(arguments) == 1 && arguments[0] == "serve":
		serve()
	case len(arguments) >= 2 && arguments[0] == "check":
		check(arguments[1], len(arguments) == 3 && arguments[2] == "retry")
	default:
		log.Fatal("usage: grpc serve | grpc check ADDRESS [retry]")
	}
}

func serve() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		server.Stop()
	}()
	fmt.Println(listener.Addr())
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}

module github.com/bearerguard/bearerguard/.ci/mutate

go 1.26.0
